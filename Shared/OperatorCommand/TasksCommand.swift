import ArgumentParser
import SettleServiceKit

struct TasksCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tasks", abstract: "The tasks of a sender.",
        subcommands: [List.self, Show.self, Retry.self, Discard.self, Pause.self, Resume.self])

    fileprivate static let columns: [Table.Column] = [
        .member("id", "id"), .member("type", "taskType"), .member("status", "status"), .member("attempts", "attempts"),
        .time("created", "createTime"), .time("due", "dueTime"), .member("line", "orderKey"),
        .member("about", "businessKey"), .member("error", "errormsg"),
    ]

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Live tasks, oldest first, how many there are, and which types are paused.")
        @OptionGroup var options: ServiceOptions
        @Option(help: "Only those of a status, such as parked.") var status: String?
        @Option(help: "Only those of a type.") var type: String?
        @Option(help: "The most that are listed, to 200.") var limit = 50

        func run() async throws {
            let status = status.map { "&status=\($0.escaped)" } ?? ""
            let type = type.map { "&taskType=\($0.escaped)" } ?? ""
            let answer = try await options.service().get("/tasks?limit=\(limit)\(status)\(type)")
            try options.show(answer, "tasks", TasksCommand.columns)
            if !options.json { print(TasksCommand.pauses(in: answer)) }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "How many tasks wait for what, and the paused types.")
        @OptionGroup var options: ServiceOptions

        func run() async throws {
            let answer = try await options.service().get("/tasks?limit=1")
            if options.json { return print(try answer.text) }
            let counts = ["pending", "delayed", "waiting", "heldLines", "paused", "parked"].compactMap { name in
                answer["counts"]?[name].map { "\(name) \($0.plain)" }
            }
            print(Table.printable(counts.joined(separator: "  ")))
            print(TasksCommand.pauses(in: answer))
        }
    }

    struct Retry: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Sends tasks again at once: those that are named, or all that are parked.")
        @OptionGroup var options: ServiceOptions
        @Argument(help: "The ids of tasks.") var ids: [Int64] = []
        @Flag(help: "All that are parked.") var parked = false
        @Option(help: "Of those that are parked, only the ones of this type.") var type: String?

        func validate() throws {
            guard parked != !ids.isEmpty else { throw ValidationError("name tasks, or say --parked") }
        }

        func run() async throws {
            let service = try options.service()
            for id in ids { _ = try await service.post("/tasks/\(id)/retry") }
            guard parked else { return print("\(ids.count) due at once") }
            try options.show(
                try await service.post("/tasks/retry", type.map { .object(["taskType": .text($0)]) } ?? .object([:])))
        }
    }

    struct Discard: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Gives tasks up: those that are named, or all of a status and a type.",
            discussion: """
                What follows from a rejection happens for each. One that was sent may have been done all the same, or may \
                be done yet.
                """)
        @OptionGroup var options: ServiceOptions
        @Argument(help: "The ids of tasks.") var ids: [Int64] = []
        @Option(help: "All of a status: parked, pending, waiting or paused.") var status: String?
        @Option(help: "Of these, only the ones of this type.") var type: String?
        @Option(help: "Why; it is kept.") var reason: String

        func validate() throws {
            guard (status == nil) != ids.isEmpty else { throw ValidationError("name tasks, or say --status") }
        }

        func run() async throws {
            let service = try options.service()
            for id in ids {
                _ = try await service.post("/tasks/\(id)/discard", .object(["reason": .text(reason)]))
            }
            guard let status else { return print("\(ids.count) discarded") }
            var body: [String: JSONValue] = ["status": .text(status), "reason": .text(reason)]  // ours
            if let type { body["taskType"] = .text(type) }
            try options.show(try await service.post("/tasks/discard", .object(body)))
        }
    }

    struct Pause: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Has no task of a type sent any more, until it is resumed. What was sent goes on.")
        @OptionGroup var options: ServiceOptions
        @Argument(help: "The type.") var type: String
        @Option(help: "Why; it is kept as long as it is paused.") var reason: String?

        func run() async throws {
            var body: [String: JSONValue] = ["taskType": .text(type)]  // ours
            if let reason { body["reason"] = .text(reason) }
            let answer = try await options.service().post("/tasks/pause", .object(body))
            print(options.json ? try answer.text : TasksCommand.pauses(in: answer))
        }
    }

    struct Resume: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Has tasks of a paused type sent again.")
        @OptionGroup var options: ServiceOptions
        @Argument(help: "The type.") var type: String

        func run() async throws {
            let answer = try await options.service().post("/tasks/resume", .object(["taskType": .text(type)]))
            print(options.json ? try answer.text : TasksCommand.pauses(in: answer))
        }
    }

    fileprivate static func pauses(in answer: JSONValue) -> String {
        let paused = answer["paused"]?.elements ?? []
        guard !paused.isEmpty else { return "no type is paused" }
        return Table(columns: [.member("paused", "taskType"), .time("since", "since"), .member("reason", "reason")])
            .text(paused)
    }
}
