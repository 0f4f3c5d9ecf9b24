import Foundation
import Testing

@testable import SettlePostgres

@Suite("Values as text")
struct ValueTests {
    private func text(_ value: PostgresValue) -> String {
        var bytes: [UInt8] = []
        value.write(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test("as PostgreSQL writes them")
    func written() {
        #expect(text(.int(.min)) == "-9223372036854775808")
        #expect(text(true) == "t" && text(false) == "f")
        #expect(text(.bytes([0, 0xab, 0xff])) == "\\x00abff")
        #expect(text(.texts(["a\"b", "c\\d", nil, "", "NULL"])) == #"{"a\"b","c\\d",NULL,"","NULL"}"#)
        #expect(text(.ints([1, nil, -2])) == "{1,NULL,-2}" && text(.ints([])) == "{}")
        #expect(text(.bools([true, false])) == "{t,f}")
        #expect(text(.date(Date(timeIntervalSince1970: 1.5))) == "1970-01-01 00:00:01.500000+00")
    }

    @Test("a buffer gives back what one large value made it take")
    func buffer() {
        var buffer = ParameterBuffer()
        buffer.fill([.text(String(repeating: "x", count: 100_000))])
        buffer.shrink()
        #expect(buffer.capacity > 100_000, "it is kept from one statement to the next")
        buffer.fill([.text(String(repeating: "x", count: 16 * 1024 * 1024))])
        buffer.shrink()
        #expect(buffer.capacity == 0)
    }

    @Test("literals and optionals")
    func literals() {
        let values: [PostgresValue] = ["text", 1, 1.5, true, nil, "with \(1)"]
        #expect(values == [.text("text"), .int(1), .double(1.5), .bool(true), .null, .text("with 1")])
        #expect(PostgresValue(nil as Int?) == .null && PostgresValue("a" as String?) == .text("a"))
    }

    @Test("a NUL byte is found, wherever it is")
    func nul() {
        #expect(PostgresValue.text("a\0").holdsNUL && PostgresValue.texts([nil, "\0"]).holdsNUL)
        #expect(!PostgresValue.text("a").holdsNUL && !PostgresValue.bytes([0]).holdsNUL)
    }

    @Test(
        "whole numbers are read to the last one in range",
        arguments: [
            ("0", 0), ("-0", 0), ("9223372036854775807", .max), ("-9223372036854775808", .min), ("", nil), ("-", nil),
            ("9223372036854775808", nil), ("-9223372036854775809", nil), ("1.0", nil), ("1 ", nil), ("+1", nil),
        ] as [(String, Int64?)])
    func integers(text: String, expected: Int64?) {
        let read = unsafe Array(text.utf8).withUnsafeBytes { unsafe Int64.decode($0, type: 20) }
        #expect(read == expected)
    }

    @Test("hex is read in either case, and nothing else is")
    func hex() {
        #expect(HexText.bytes(of: Array("\\x00aBfF".utf8)) == [0, 0xab, 0xff])
        for wrong in ["", "\\", "\\x0", "\\xzz", "00", "\\X00"] {
            #expect(HexText.bytes(of: Array(wrong.utf8)) == nil)
        }
    }

    @Test("days of eight centuries survive the way there and back")
    func days() {
        for day in stride(from: -146_097 - 13, through: 146_097, by: 29) {
            let date = Date(timeIntervalSince1970: Double(day) * 86_400 + 1)
            #expect(TimestampText.date(of: Array(TimestampText.text(of: date).utf8)) == date)
        }
    }

    @Test(
        "no timestamp",
        arguments: [
            "", "infinity", "999999999999-01-01", "294276-12-31 23:59:60.9999999+00", "-infinity", "2024-13-01",
            "2024-01-01 10", "2024-01-01 1:2:3 x",
        ])
    func noTimestamp(text: String) {
        #expect(TimestampText.date(of: Array(text.utf8)) == nil)
    }
}
