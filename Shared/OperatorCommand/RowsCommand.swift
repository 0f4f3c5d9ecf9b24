import ArgumentParser
import SettleServiceKit

struct RowsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rows", abstract: "Rows that stand in the way of a rollback in mode at.",
        subcommands: [List.self, Resolve.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Each row before the transaction, after it, and as it is now.")
        @OptionGroup var options: ServiceOptions
        @Option(help: "The most that are listed, to 200.") var limit = 50

        func run() async throws {
            let answer = try await options.service().get("/dirty-rows?limit=\(limit)")
            if options.json { return print(try answer.text) }
            let rows = answer["rows"]?.elements ?? []
            if rows.isEmpty { print("none") }
            for (number, row) in rows.enumerated() {
                if number > 0 { print() }
                for name in ["xid", "table", "key", "since", "reason", "before", "after", "now", "changed", "choice"] {
                    guard let value = row[name], value != .null else { continue }
                    print("\(name):\(String(repeating: " ", count: 8 - name.count))\(Table.printable(value.plain))")
                }
            }
        }
    }

    struct Resolve: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Says what a row becomes, and tries the rollback again.",
            discussion: """
                restore: as it was before the transaction. keep: as it is now. restore-changed: as it is now, with the \
                columns that the transaction changed as they were before.
                """)
        enum Choice: String, ExpressibleByArgument, CaseIterable {
            case restore, keep
            case restoreChanged = "restore-changed"
        }
        @OptionGroup var options: ServiceOptions
        @Argument(help: "The XID.") var xid: String
        @Argument(help: "The table, as it is listed.") var table: String
        @Argument(help: "The key, as it is listed.") var key: String
        @Argument(help: "restore, keep or restore-changed.") var choice: Choice
        @OptionGroup var who: OperatorOptions

        func run() async throws {
            try options.show(
                try await options.service().post(
                    "/dirty-rows/resolve",
                    who.body([
                        "xid": .text(xid), "table": .text(table), "key": .text(key), "choice": .text(choice.rawValue),
                    ])))
        }
    }
}
