import ArgumentParser
import SettleServiceKit

struct TasksCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tasks", abstract: "The tasks of a sender.", subcommands: [List.self, Retry.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Live tasks, newest first, and how many there are.")
        @OptionGroup var options: ServiceOptions
        @Option(help: "Only those of a status, such as parked.") var status: String?
        @Option(help: "The most that are listed, to 200.") var limit = 50

        func run() async throws {
            let status = status.map { "&status=\($0.escaped)" } ?? ""
            try options.show(
                try await options.service().get("/tasks?limit=\(limit)\(status)"), "tasks",
                [
                    .member("id", "id"), .member("type", "taskType"), .member("status", "status"),
                    .member("attempts", "attempts"), .time("created", "createTime"), .member("about", "businessKey"),
                    .member("error", "errormsg"),
                ])
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
}
