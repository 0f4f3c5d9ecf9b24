import ArgumentParser
import SettleServiceKit
import Testing

@testable import SettleOperatorCommand

@Suite("The operator's command")
struct TableTests {
    private static let columns: [Table.Column] = [
        .member("id", "id"), .time("created", "createTime"), .member("error", "errormsg"),
    ]

    @Test("a table is as wide as its cells; what is null or missing is empty")
    func table() throws {
        let rows = try JSONValue(
            text: #"[{"id":1,"createTime":0,"errormsg":null},{"id":1000000,"errormsg":"no such user"}]"#
        ).elements
        #expect(
            Table(columns: Self.columns).text(rows) == """
                id       created               error
                1        1970-01-01T00:00:00Z
                1000000                        no such user
                """)
    }

    @Test("what somebody wrote into a message moves no cursor, and breaks no line")
    func hostile() throws {
        let rows = [JSONValue.object(["errormsg": .text("a\u{1b}[2Jb\nc\u{9b}31m\u{202e}d\0")])]
        let text = Table(columns: [.member("", "errormsg")]).text(rows)
        #expect(text.split(separator: "\n").count == 1 || text.hasPrefix("\n"))
        #expect(text.contains("a\u{FFFD}[2Jb\u{FFFD}c\u{FFFD}31m\u{FFFD}d\u{FFFD}"))
    }

    @Test(
        "a command that leaves out what it needs is refused before anything is called",
        arguments: [
            ["tasks", "retry"], ["tasks", "retry", "1", "--parked"], ["letters", "resend"], ["letters", "discard"],
            ["branches", "decide", "x", "maybe", "--operator", "eve", "--reason", "r"],
            ["branches", "decide", "x", "abort"], ["rows", "resolve", "x", "t", "{}", "drop"], ["nothing"],
        ])
    func wrong(arguments: [String]) {
        #expect(throws: (any Error).self) { try OperatorCommand.parseAsRoot(arguments) }
    }

    @Test("exit codes say who has to do something")
    func codes() {
        #expect(CallFailure.unreachable("").exitCode.rawValue == 69)
        #expect(CallFailure.refused(status: 503, title: "", detail: "").exitCode.rawValue == 69)
        #expect(CallFailure.refused(status: 401, title: "", detail: "").exitCode.rawValue == 77)
        #expect(CallFailure.refused(status: 404, title: "", detail: "").exitCode.rawValue == 1)
    }

    @Test("a part of a path cannot become another path")
    func escaped() { #expect("../tasks?x=1#y ä".escaped == "..%2Ftasks%3Fx%3D1%23y%20%C3%A4") }
}
