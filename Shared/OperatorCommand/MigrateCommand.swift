import ArgumentParser
import SettleServiceKit

struct MigrateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate", abstract: "The tables of a service.", subcommands: [Status.self, Apply.self])

    struct Status: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Which migrations the database has, and when it got them.")
        @OptionGroup var options: ServiceOptions

        func run() async throws {
            let answer = try await options.service().get("/migrations")
            try options.show(
                answer, "migrations",
                [
                    .member("set", "set"), .member("name", "name"),
                    Table.Column(title: "applied") { row in
                        row["differs"] == .bool(true) ? "with another text" : row["appliedAt"]?.plain ?? "missing"
                    },
                ])
            let isWell = (answer["migrations"]?.elements ?? []).allSatisfy {
                $0["appliedAt"]?.plain.isEmpty == false && $0["differs"] != .bool(true)
            }
            if !isWell { throw ExitCode(1) }
        }
    }

    struct Apply: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Applies what is missing, as a start of the service does.")
        @OptionGroup var options: ServiceOptions

        func run() async throws { try options.show(try await options.service().post("/migrations/apply")) }
    }
}
