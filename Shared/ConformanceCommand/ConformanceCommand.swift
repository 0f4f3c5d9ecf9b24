import ArgumentParser
import Foundation
import SettleConformance

@main
struct ConformanceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "settle-conformance",
        abstract: "Holds a running participant or initiator against docs/wire-protocol.md.",
        discussion: "One line per check, with the id of its rule. Exit code 1 if any failed.",
        subcommands: [ParticipantCommand.self, InitiatorCommand.self])
}

struct ServiceOptions: ParsableArguments {
    @Option(help: "Base URL of the service.") var url: String
    @Option(help: "The file that holds the token which its internal routes accept.") var tokenFile: String

    var token: String { get throws { try Self.token(in: tokenFile) } }

    static func token(in file: String) throws -> String {
        do {
            return try String(contentsOfFile: file, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
        } catch {
            throw ValidationError("the token's file '\(file)' cannot be read")
        }
    }
}

struct ParticipantCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "participant",
        abstract: "Plays the initiator of a participant.",
        discussion: """
            The participant's configuration must name this initiator (--initiator) at the address that --listen says. What \
            the bodies ask for is really done there; {n} in them becomes another number in each transaction.
            """)

    @OptionGroup var service: ServiceOptions
    @Option(help: "The action: the last part of /branches/….") var action: String
    @Option(help: "A request that the action does, as JSON.") var body: String
    @Option(help: "Another request that it does; for rule P6.") var otherBody: String?
    @Option(help: "A request that its business refuses; for rule P7.") var refusedBody: String?
    @Option(help: "The modes that it offers, with commas between them.") var modes = "at,tcc,xa,saga"
    @Option(help: "What the participant calls this initiator.") var initiator = "conformance"
    @Option(help: "Where the participant looks for it, HOST:PORT.") var listen = "127.0.0.1:9090"
    @Option(help: "A path of the participant's whose answer shows what the action changes.") var watch: String?
    @Option(help: "The file with the token that the participant sends, if that is another one.")
    var initiatorTokenFile: String?
    @Option(help: "For how many seconds a check-back is waited for.") var patience = 60

    func run() async throws {
        var conformance = ParticipantConformance(
            url: service.url, token: try service.token, action: action, body: body)
        conformance.otherBody = otherBody
        conformance.refusedBody = refusedBody
        conformance.modes = modes.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
        conformance.initiator = initiator
        guard let colon = listen.lastIndex(of: ":"), let port = Int(listen[listen.index(after: colon)...]),
            (1...65535).contains(port)
        else { throw ValidationError("--listen is HOST:PORT") }
        (conformance.host, conformance.port) = (String(listen[..<colon]), port)
        conformance.watch = watch
        if let initiatorTokenFile { conformance.initiatorToken = try ServiceOptions.token(in: initiatorTokenFile) }
        conformance.patience = .seconds(patience)
        try finish(try await conformance.run { print($0) })
    }
}

struct InitiatorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "initiator",
        abstract: "Asks an initiator what participants ask.",
        discussion: "About XIDs that nobody has made: nothing of the initiator's own is touched.")

    @OptionGroup var service: ServiceOptions

    func run() async throws {
        let conformance = InitiatorConformance(url: service.url, token: try service.token)
        try finish(await conformance.run { print($0) })
    }
}

/// Says how many checks there were, and ends with 1 if one of them failed.
private func finish(_ results: [ConformanceResult]) throws {
    let failed = results.count(where: \.isFailure)
    let skipped = results.count { if case .skipped = $0.verdict { true } else { false } }
    print("\(results.count - failed - skipped) ok, \(failed) failed, \(skipped) skipped")
    if failed > 0 { throw ExitCode.failure }
}
