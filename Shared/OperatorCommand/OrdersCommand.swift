import ArgumentParser
import SettleServiceKit

struct OrdersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "orders", abstract: "Orders of the shop.", subcommands: [List.self, Show.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "The latest orders.")
        @OptionGroup var options: ServiceOptions
        @Option(help: "Only those of a status: placed, settled, cancelling, cancelled.") var status: String?
        @Option(help: "Only those of a user.") var user: String?
        @Option(help: "The most that are listed, to 200.") var limit = 50

        func run() async throws {
            let filters = [status.map { "&status=\($0.escaped)" }, user.map { "&userName=\($0.escaped)" }]
            try options.show(
                try await options.service().get("/orders?limit=\(limit)\(filters.compactMap(\.self).joined())"),
                "orders",
                [
                    .member("id", "id"), .member("status", "status"), .member("mode", "mode"),
                    .member("placed", "createdAt"), .member("user", "userName"), .member("total", "total"),
                    .member("reason", "reason"),
                ])
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "What became of an order, in all services.")
        @OptionGroup var options: ServiceOptions
        @Argument(help: "The order's id.") var id: String

        func run() async throws {
            let story = try await options.service().get("/orders/\(id.escaped)/story")
            if options.json { return print(try story.text) }
            let order = story["order"] ?? .null
            let words = ["id", "status", "mode", "userName", "total", "reason"].compactMap { order[$0]?.plain }
            print(Table.printable(words.filter { !$0.isEmpty }.joined(separator: "  ")))
            let columns: [Table.Column] = [
                .member("at", "at"), .member("service", "service"), .member("what", "what"),
                .member("detail", "detail"),
            ]
            print("\n" + Table(columns: columns).text(story["events"]?.elements ?? []))
            for step in story["open"]?.elements ?? [] {
                let parts = ["service", "what", "detail"].compactMap { step[$0]?.plain }
                print("waits: " + Table.printable(parts.joined(separator: ", ")))
            }
            for name in story["missing"]?.elements ?? [] { print("could not be asked: \(Table.printable(name.plain))") }
        }
    }
}
