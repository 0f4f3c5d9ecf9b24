import ArgumentParser
import SettleServiceKit

struct BooksCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "books", abstract: "Whether the books of the services agree.",
        subcommands: [Show.self, Compare.self, Apply.self])

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "What the last comparison found.")
        @OptionGroup var options: ServiceOptions

        func run() async throws {
            let report = try await options.service().get("/reconciliation")
            if options.json { return print(try report.text) }
            let words = ["startedAt", "endedAt", "orders", "clean"].compactMap { name in
                report[name].map { "\(name) \($0.plain)" }
            }
            print(Table.printable(words.joined(separator: "  ")) + "\n")
            try options.show(
                report, "findings",
                [
                    .member("id", "id"), .member("kind", "kind"), .member("order", "orderId"), .member("key", "key"),
                    .member("repair", "repaired"), .member("detail", "detail"),
                ])
        }
    }

    struct Compare: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Begins a comparison, and goes on without it.")
        @OptionGroup var options: ServiceOptions
        @Flag(help: "Only look, and repair nothing.") var onlyLook = false

        func run() async throws {
            try options.show(
                try await options.service().post("/reconciliation", .object(["repair": .bool(!onlyLook)])))
        }
    }

    struct Apply: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Carries out what was proposed for a finding.")
        @OptionGroup var options: ServiceOptions
        @Argument(help: "The id of the finding.") var finding: String
        @Option(help: "Why; it is kept.") var reason: String

        func run() async throws {
            try options.show(
                try await options.service().post(
                    "/reconciliation/apply", .object(["finding": .text(finding), "reason": .text(reason)])))
        }
    }
}
