import Testing

@testable import SettleServiceKit

@Suite("Settings of a service's own")
struct SettingsTableTests {
    private enum Colour: Sendable { case red, green }

    private struct Values: Sendable {
        var lease = Duration.seconds(5)
        var kept: Duration?
        var attempts = 25
        var colour = Colour.red
        var peer: BaseURL?
        var name = ""
        var key = ""
    }

    private static let table = SettingsTable(
        Values(),
        [
            .duration("task-lease", \.lease, in: .milliseconds(100) ... .seconds(90), "How long."),
            .duration("kept", \.kept, in: .seconds(1) ... .seconds(3600), whenUnset: "for ever", "How long."),
            .integer("max-attempts", \.attempts, in: 1...50, "How often."),
            .choice("colour", \.colour, [("red", .red), ("green", .green)], "Which."),
            .url("peer-url", \.peer, "Where."),
            .text("name", \.name, form: "a name", "Who."),
            .text("key", \.key, form: "a key", whenUnset: "none", isEnvironmentOnly: true, "Secret."),
        ]
    ) { values throws(SettingsError) in
        if values.attempts == 13 { throw SettingsError("max-attempts", "a number that brings luck is expected") }
    }

    private static let required = ["NAME": "a", "PEER_URL": "http://peer"]

    private static func read(_ environment: [String: String], flags: [String: String] = [:]) throws -> Values {
        try table.read(SettingsReader(flags: flags, environment: required.merging(environment) { $1 }))
    }

    @Test("what is not set has the values' own default")
    func defaults() throws {
        let values = try Self.read([:])
        #expect(values.lease == .seconds(5))
        #expect(values.kept == nil)
        #expect(values.attempts == 25)
        #expect(values.colour == .red)
        #expect(values.key.isEmpty)
    }

    @Test("each kind, by its variable and by its flag")
    func kinds() throws {
        let texts = [
            "task-lease": "250ms", "kept": "1h", "max-attempts": "7", "colour": "green", "peer-url": "https://b/",
            "name": "b", "key": "k",
        ]
        let environment = Dictionary(uniqueKeysWithValues: texts.map { (Setting.variable(of: $0.key), $0.value) })
        for values in [try Self.read(environment), try Self.read([:], flags: texts)] {
            #expect(values.lease == .milliseconds(250))
            #expect(values.kept == .seconds(3600))
            #expect(values.attempts == 7)
            #expect(values.colour == .green)
            #expect(values.peer?.description == "https://b")
            #expect(values.name == "b")
            #expect(values.key == "k")
        }
    }

    @Test("what is required is said to be missing", arguments: ["NAME", "PEER_URL"])
    func missing(variable: String) {
        #expect(throws: SettingsError(variable, "is required and not set")) { try Self.read([variable: ""]) }
    }

    @Test(
        "what is wrong is told what is expected, with the flag if there is one",
        arguments: [
            ("TASK_LEASE", "91s", "TASK_LEASE (--task-lease): a duration from 100ms to 90s is expected"),
            ("KEPT", "5", "KEPT (--kept): a duration from 1s to 1h is expected"),
            ("MAX_ATTEMPTS", "51", "MAX_ATTEMPTS (--max-attempts): a whole number from 1 to 50 is expected"),
            ("MAX_ATTEMPTS", "13", "MAX_ATTEMPTS (--max-attempts): a number that brings luck is expected"),
            ("COLOUR", "Red", "COLOUR (--colour): red or green is expected"),
            (
                "PEER_URL", "peer",
                "PEER_URL (--peer-url): an http:// or https:// URL with a host, perhaps a port up to 65535 and a path, "
                    + "and nothing else is expected"
            ),
            ("KEY_FILE", "/nowhere", "KEY_FILE: a file that can be read is expected"),
        ])
    func wrong(variable: String, value: String, line: String) {
        let error = #expect(throws: SettingsError.self) { try Self.read([variable: value]) }
        #expect(error?.line(among: Self.table.settings) == line)
    }

    @Test("a table says of each setting what an operator must know")
    func settings() {
        let settings = Self.table.settings
        #expect(
            settings.map(\.variable) == [
                "TASK_LEASE", "KEPT", "MAX_ATTEMPTS", "COLOUR", "PEER_URL", "NAME", "KEY",
            ])
        #expect(settings.map(\.defaultText) == ["5s", "for ever", "25", "red", nil, nil, "none"])
        #expect(settings.map(\.flag).last == .some(nil))
        #expect(settings.first?.flag == "--task-lease")
    }

    @Test("rows of values inside of others")
    func lifted() throws {
        struct Outer {
            var inner = Values()
        }
        let row = SettingRow<Values>.integer("max-attempts", \.attempts, in: 1...50, "How often.")
        let table = SettingsTable(Outer(), [row.lifted(to: \.inner)])
        #expect(table.settings.map(\.defaultText) == ["25"])
        #expect(try table.read(SettingsReader(environment: ["MAX_ATTEMPTS": "9"])).inner.attempts == 9)
    }

    private static let anyLength = Duration.zero ... .seconds(31_536_000)

    @Test(
        "durations",
        arguments: [
            ("250ms", Duration.milliseconds(250)), ("5s", .seconds(5)), ("10m", .seconds(600)), ("1h", .seconds(3600)),
            ("0s", .zero),
        ] as [(String, Duration)])
    func duration(text: String, expected: Duration) {
        #expect(DurationText.parse(text, in: Self.anyLength) == expected)
        #expect(DurationText.format(expected) == text)
    }

    @Test(
        "no durations",
        arguments: [
            "", "5", "s", "-5s", "1.5s", "5 s", "5S", "99999999999999999999s", "9223372036854775807h", "٥s", "366000h",
        ])
    func noDuration(text: String) {
        #expect(DurationText.parse(text, in: Self.anyLength) == nil)
    }
}
