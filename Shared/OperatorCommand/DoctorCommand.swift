import ArgumentParser
import SettleServiceKit

struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Is every setting of PostgreSQL, RabbitMQ and Redis as a service needs it.",
        discussion: "One line each, with what to do. Exit code 1 if anything is wrong; a warning is not.")
    @OptionGroup var options: ServiceOptions

    func run() async throws {
        let answer = try await options.service().get("/doctor")
        try options.show(
            answer, "checks",
            [
                .member("", "verdict"), .member("what", "name"), .member("is", "value"), .member("advice", "advice"),
            ])
        if (answer["checks"]?.elements ?? []).contains(where: { $0["verdict"] == .text("wrong") }) { throw ExitCode(1) }
    }
}
