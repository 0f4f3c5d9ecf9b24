import Testing

@testable import SettleServiceKit

@Suite("The command line of a service")
struct ServiceCommandTests {
    private struct Values: Sendable {
        var lease = Duration.seconds(5)
        var key = ""
    }

    private static let own = SettingsTable(
        Values(),
        [
            .duration("task-lease", \.lease, in: .seconds(1) ... .seconds(90), "How long it belongs to somebody."),
            .text("key", \.key, form: "a key", whenUnset: "none", isEnvironmentOnly: true, "Signs."),
        ])

    private static let command = ServiceCommand(
        "wallets", about: "Keeps wallets.", port: 9000, peers: [PeerService("order", port: 8080)],
        settings: own.settings)

    private func flags(_ arguments: String...) throws -> [String: String] {
        guard case .serve(let flags) = try Self.command.request(arguments) else { return ["not": "serve"] }
        return flags
    }

    @Test("flags of every setting, common or the service's own, in both spellings; the last one counts")
    func given() throws {
        #expect(try flags() == [:])
        #expect(
            try flags("--http-port", "9001", "--task-lease=9s", "--order-url", "http://a", "--http-head-timeout", "2s")
                == ["http-port": "9001", "task-lease": "9s", "order-url": "http://a", "http-head-timeout": "2s"])
        #expect(try flags("--database-url=postgresql://h/d?a=b=c") == ["database-url": "postgresql://h/d?a=b=c"])
        #expect(try flags("--task-lease=9s", "--task-lease", "8s") == ["task-lease": "8s"])
        // Empty counts as not set, a number below zero as a value that is refused by its name.
        #expect(try flags("--task-lease=", "--http-port", "-1") == ["task-lease": "", "http-port": "-1"])
    }

    @Test("every setting but those of the environment has a flag that its table reads")
    func allFlags() throws {
        for setting in Self.command.settings {
            let arguments = ["--\(setting.name)", "x"]
            if setting.isEnvironmentOnly {
                #expect(throws: ServiceCommand.UsageError.self) { try Self.command.request(arguments) }
            } else {
                #expect(try Self.command.request(arguments) == .serve(flags: [setting.name: "x"]))
            }
        }
        #expect(Set(Self.command.settings.map(\.name)).count == Self.command.settings.count)
    }

    @Test("--help and --health")
    func other() throws {
        #expect(try Self.command.request(["--help"]) == .help)
        #expect(try Self.command.request(["--task-lease", "9s", "-h"]) == .help)
        #expect(
            try Self.command.request(["--health", "--http-port", "9001"]) == .health(flags: ["http-port": "9001"]))
    }

    @Test(
        "what cannot be meant is refused in one line, without its value",
        arguments: [
            (["--task-leas", "hunter2"], #"unknown flag "--task-leas"; wallets --help lists them"#),
            (["--task-leas=hunter2"], #"unknown flag "--task-leas"; wallets --help lists them"#),
            (["--"], #"unknown flag "--"; wallets --help lists them"#),
            (["--a\nb"], #"unknown flag "--a\nb"; wallets --help lists them"#),
            (["--health=1"], #"unknown flag "--health"; wallets --help lists them"#),
            (["hunter2"], "an argument that is no flag; wallets --help lists them"),
            (["-p", "9001"], "an argument that is no flag; wallets --help lists them"),
            (["--task-lease"], "--task-lease needs a value: a duration from 1s to 90s"),
            (["--task-lease", "--health"], "--task-lease needs a value: a duration from 1s to 90s"),
            (
                ["--key", "hunter2"],
                "--key is no flag: KEY comes from the environment, or from the file that KEY_FILE names"
            ),
            (
                ["--settle-token=hunter2"],
                "--settle-token is no flag: SETTLE_TOKEN comes from the environment, or from the file that "
                    + "SETTLE_TOKEN_FILE names"
            ),
        ])
    func refused(arguments: [String], line: String) {
        let error = #expect(throws: ServiceCommand.UsageError.self) { try Self.command.request(arguments) }
        #expect(error?.description == line)
    }

    @Test("help has every setting with its variable, meaning, default and what may stand there")
    func help() {
        let help = Self.command.help
        let text = help.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        for setting in Self.command.settings {
            let head = setting.flag.map { "\($0), " } ?? ""
            let value = setting.defaultText.map { "Default \($0)" } ?? "Required"
            #expect(
                text.contains("\(head)\(setting.variable) \(setting.meaning) \(value); \(setting.form)."),
                "\(setting.name)")
        }
        #expect(text.hasPrefix("Usage: wallets [--flag value]… Keeps wallets. "))
        #expect(text.contains("--http-port, HTTP_PORT The port to listen on. Default 9000;"))
        #expect(!text.contains("--key"))
        #expect(help.split(separator: "\n").allSatisfy { $0.count <= 80 })
    }
}
