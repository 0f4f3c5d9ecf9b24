import ArgumentParser
import Foundation

/// What an operator asks of a running application, through its routes.
@main
struct OperatorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "settle",
        abstract: "Looks into a running service, and mends what only a person can.",
        discussion: """
            Needs the base URL of a service (--url, or SETTLE_URL) and its token (--token-file, or SETTLE_TOKEN or \
            SETTLE_TOKEN_FILE in the environment), nothing else.

            Exit codes: 0 done; 1 refused, not found, or the doctor found something wrong; 64 the command is wrong; \
            69 the service cannot be reached or answers 5xx; 77 the token is not accepted.
            """,
        subcommands: [
            TasksCommand.self, LettersCommand.self, BranchesCommand.self, DecisionsCommand.self, RowsCommand.self,
            OrdersCommand.self, BooksCommand.self, MigrateCommand.self, DoctorCommand.self,
        ])

    static func main() async {
        do {
            var command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch let failure as CallFailure {
            FileHandle.standardError.write(Data("settle: \(failure)\n".utf8))
            exit(withError: failure.exitCode)
        } catch {
            exit(withError: error)
        }
    }
}
