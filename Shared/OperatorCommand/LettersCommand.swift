import ArgumentParser
import SettleServiceKit

struct LettersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "letters", abstract: "The messages that a service set aside: dead letters, and those that wait.",
        subcommands: [List.self, Show.self, Resend.self, Discard.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Dead letters, newest first, and how many there are.")
        @OptionGroup var options: ServiceOptions
        @Flag(help: "Those that wait for a row or for better times, not the dead.") var waiting = false
        @Option(help: "The most that are listed, to 200.") var limit = 50

        func run() async throws {
            let status = waiting ? "waiting" : "dead"
            try options.show(
                try await options.service().get("/dead-letters?limit=\(limit)&status=\(status)"), "deadLetters",
                [
                    .member("id", "id"), .member("queue", "queue"), .member("tries", "tries"),
                    .time("since", "createdAt"), .member("reason", "reason"),
                ])
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "One message that was set aside, with its content.")
        @OptionGroup var options: ServiceOptions
        @Argument(help: "Its id.") var id: Int64

        func run() async throws { try options.show(try await options.service().get("/dead-letters/\(id)")) }
    }

    struct Resend: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Has letters applied again: those that are named, or all of a queue.")
        @OptionGroup var options: ServiceOptions
        @Argument(help: "The ids of letters.") var ids: [Int64] = []
        @Flag(help: "All dead letters.") var all = false
        @Option(help: "Of all, only those of this queue.") var queue: String?

        func validate() throws {
            guard all != !ids.isEmpty else { throw ValidationError("name letters, or say --all") }
        }

        func run() async throws {
            let service = try options.service()
            for id in ids { _ = try await service.post("/dead-letters/\(id)/retry") }
            guard all else { return print("\(ids.count) due at once") }
            try options.show(
                try await service.post(
                    "/dead-letters/retry", queue.map { .object(["queue": .text($0)]) } ?? .object([:])))
        }
    }

    struct Discard: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Forgets letters. What they asked for is not done.")
        @OptionGroup var options: ServiceOptions
        @Argument(help: "The ids of letters.") var ids: [Int64]

        func run() async throws {
            let service = try options.service()
            for id in ids { _ = try await service.delete("/dead-letters/\(id)") }
            print("\(ids.count) forgotten")
        }
    }
}
