import Foundation
import Hummingbird
import Testing

@testable import SettleServiceKit

@Suite("JSON bodies")
struct JSONBodyTests {
    struct Item: Decodable {
        let sku: String
        let quantity: Int
    }

    struct Order: Decodable {
        let userName: String
        let items: [Item]
        let spendPoints: Int?
        let isGift: Bool?
        let weight: Double?
        let at: Date?
    }

    private static func decode(_ json: String) throws(Problem) -> Order {
        try JSONBody.decode(Order.self, from: Array(json.utf8))
    }

    @Test("a valid one, with unknown fields ignored")
    func valid() throws {
        let order = try Self.decode(
            #"{"userName":"é\\u0000 \"","items":[{"sku":"tea","quantity":9223372036854775807}],"later":null,"at":"2026-01-02T03:04:05.678Z"}"#
        )
        #expect(order.userName == #"é\u0000 ""#)
        #expect(order.items.first?.quantity == .max)
        #expect(order.at?.timeIntervalSince1970 == 1767323045.678)
    }

    @Test(
        "malformed is 400",
        arguments: [
            "", " ", "{", "nonsense", #"{"userName": "alice""#, #"{"userName": 'alice', "items": []}"#,
            #"{"userName":"alice","items":[],}"#, "{\"userName\":\"a\0b\",\"items\":[]}", "\u{FEFF}{}", "01", "1.",
            ".5", "1e", "+1", "-", "NaN", "tru", "nulll", "{} {}",
            #"{"a"}"#, #"{"a":}"#, #"{1:2}"#, "[1,,2]", "[,]", "[1 2]", #""\x""#, #""\u12g4""#, #""\u12"#, #""open"#,
            "\"a\nb\"",
        ])
    func malformed(json: String) {
        let problem = #expect(throws: Problem.self) { try Self.decode(json) }
        #expect(problem?.status == .badRequest)
    }

    @Test(
        "what is no JSON is 400, although Foundation's decoder takes it: the reason for a look of our own",
        arguments: [
            #","x":01"#, #","x":1."#, #","x":1e"#, #","x":-"#, #","x":1.5.5"#, #","x":1-2"#, #","x":"\q""#,
            #","x":"\u12g4""#, ",\"x\":\"a\nb\"", ",\"x\":\"\u{1}\"", #","x":[1,]"#, ",",
        ])
    func foundationTakes(more: String) throws {
        let json = #"{"userName":"alice","items":[]\#(more)}"#
        // Once this fails Foundation has become stricter, and less of a look of our own is needed.
        #expect(try JSONDecoder().decode(Order.self, from: Data(json.utf8)).userName == "alice")
        let problem = #expect(throws: Problem.self) { try Self.decode(json) }
        #expect(problem?.status == .badRequest)
    }

    @Test("neither are other encodings, and bytes of none in a field that nobody reads")
    func foundationTakesBytes() throws {
        let utf16 = #"{"userName":"alice","items":[]}"#.utf16.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }
        let stray = Array(#"{"userName":"alice","items":[],"x":""#.utf8) + [0xC3, 0x28] + Array(#""}"#.utf8)
        for bytes in [utf16, stray] {
            #expect(try JSONDecoder().decode(Order.self, from: Data(bytes)).userName == "alice")
            let problem = #expect(throws: Problem.self) { try JSONBody.decode(Order.self, from: bytes) }
            #expect(problem?.status == .badRequest)
        }
    }

    @Test("bytes that are not UTF-8 are 400")
    func notUTF8() {
        let bytes = Array(#"{"userName":""#.utf8) + [0xC3, 0x28] + Array(#"","items":[]}"#.utf8)
        let problem = #expect(throws: Problem.self) { try JSONBody.decode(Order.self, from: bytes) }
        #expect(problem?.status == .badRequest)
    }

    @Test(
        "a field that is missing, of the wrong type or out of range is 422 and named",
        arguments: [
            (#"{"items":[]}"#, "userName is missing"),
            (#"{"userName":null,"items":[]}"#, "userName must not be null"),
            (#"{"userName":7,"items":[]}"#, "userName must be a string"),
            (#"{"userName":"a"}"#, "items is missing"),
            (#"{"userName":"a","items":{}}"#, "items must be an array"),
            (#"{"userName":"a","items":[{"sku":"tea"}]}"#, "items[0].quantity is missing"),
            (#"{"userName":"a","items":[{"sku":"t","quantity":1},7]}"#, "items[1] must be an object"),
            (#"{"userName":"a","items":[{"sku":"tea","quantity":"2"}]}"#, "items[0].quantity must be a whole number"),
            (
                #"{"userName":"a","items":[{"sku":"tea","quantity":1.5}]}"#,
                "items[0].quantity is not valid or out of range"
            ),
            (
                #"{"userName":"a","items":[{"sku":"tea","quantity":9223372036854775808}]}"#,
                "items[0].quantity is not valid or out of range"
            ),
            (
                #"{"userName":"a","items":[{"sku":"tea","quantity":-99999999999999999999999}]}"#,
                "items[0].quantity is not valid or out of range"
            ),
            (#"{"userName":"a","items":[],"spendPoints":1e999}"#, "spendPoints is not valid or out of range"),
            (#"{"userName":"a","items":[],"isGift":1}"#, "isGift must be true or false"),
            (#"{"userName":"a","items":[],"weight":"x"}"#, "weight must be a number"),
            (#"{"userName":"a","items":[],"at":"yesterday"}"#, "at is not valid or out of range"),
            ("[]", "the body must be an object"), ("7", "the body must be an object"),
            (#""text""#, "the body must be an object"), ("null", "the body must not be null"),
        ])
    func unprocessable(json: String, detail: String) {
        let problem = #expect(throws: Problem.self) { try Self.decode(json) }
        #expect(problem?.status == .unprocessableContent)
        #expect(problem?.detail == detail)
    }

    @Test(
        "a number that a field cannot hold is named, whatever stands in fields that nobody reads",
        arguments: [
            (#"{"ignored":1.5,"userName":"a","items":[{"sku":"t","quantity":1.5}]}"#, "items[0].quantity"),
            (#"{"ignored":[0.1,2e400],"userName":"a","items":[],"spendPoints":1e30,"later":7.7}"#, "spendPoints"),
            (#"{"userName":"a","items":[],"spendPoints":1.0000000000000000001}"#, "spendPoints"),
            (
                #"{"weight":1.0000000000000000001,"userName":"a","items":[],"spendPoints":9007199254740993.0}"#,
                "spendPoints"
            ),
            (#"{"userName":"a","items":[{"sku":"t","quantity":1e-400}]}"#, "items[0].quantity"),
            (
                #"{"userName":"a","items":[{"sku":"t","quantity":1.00},{"sku":"c","quantity":0.99999999999999999999}]}"#,
                "items[1].quantity"
            ),
        ])
    func number(json: String, field: String) {
        let problem = #expect(throws: Problem.self) { try Self.decode(json) }
        #expect(problem?.status == .unprocessableContent)
        #expect(problem?.detail == "\(field) is not valid or out of range")
    }

    @Test("whole numbers may be written with a fraction or an exponent, and fields of fractions take any")
    func wholeNumbers() throws {
        let order = try Self.decode(
            #"{"userName":"a","items":[{"sku":"t","quantity":1.20e2}],"spendPoints":-3.0,"weight":1.0000000000000000001}"#
        )
        #expect(order.items.first?.quantity == 120)
        #expect(order.spendPoints == -3)
        #expect(order.weight == 1)
    }

    @Test("which numbers a Double makes another whole number of")
    func isRounded() {
        for text in [
            "1.0000000000000000001", "9007199254740993.0", "1e-400", "0.99999999999999999999",
            "1e-99999999999999999999",
        ] {
            #expect(JSONNumbers.isRounded(text))
        }
        for text in [
            "1.0", "120e-1", "0.0", "-0e9", "1.5", "9007199254740992.0", "1e18", "1e19", "1e400",
            "0e99999999999999999999",
        ] {
            #expect(!JSONNumbers.isRounded(text))
        }
    }

    @Test("a body full of suspects is answered soon, without a name")
    func manySuspects() {
        let many = String(repeating: "1.5,", count: 200_000)
        let problem = #expect(throws: Problem.self) {
            try Self.decode(#"{"x":[\#(many)0],"userName":"a","items":[],"spendPoints":1.5}"#)
        }
        #expect(problem?.status == .unprocessableContent)
    }

    @Test(
        "U+0000 is 422 and named, even where nothing reads it",
        arguments: [
            (#"{"userName":"a\u0000","items":[]}"#, "userName must not contain U+0000"),
            (#"{"userName":"\\\u0000","items":[]}"#, "userName must not contain U+0000"),
            (#"{"userName":"a","items":[{"sku":"\u0000","quantity":1}]}"#, "items[0].sku must not contain U+0000"),
            (#"{"userName":"a","items":[],"note":"\u0000"}"#, "note must not contain U+0000"),
        ])
    func null(json: String, detail: String) {
        let problem = #expect(throws: Problem.self) { try Self.decode(json) }
        #expect(problem?.status == .unprocessableContent)
        #expect(problem?.detail == detail)
    }

    @Test("dates are written with milliseconds, in UTC")
    func dates() throws {
        let data = try JSONCoding.encoder.encode([Date(timeIntervalSince1970: 1_767_323_045.678)])
        #expect(String(decoding: data, as: UTF8.self) == #"["2026-01-02T03:04:05.678Z"]"#)
    }

    @Test("very deep nesting is refused, not a crash")
    func deep() {
        let json = String(repeating: "[", count: 100_000) + String(repeating: "]", count: 100_000)
        let problem = #expect(throws: Problem.self) { try Self.decode(json) }
        #expect(problem?.status == .badRequest)
    }

    @Test("the content type, whatever its case and parameters")
    func contentType() throws {
        try JSONBody.checkContentType("application/json")
        try JSONBody.checkContentType("Application/JSON ; charset=utf-8")
        try JSONBody.checkContentType(nil)
        for other in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""] {
            #expect(throws: Problem.unsupportedMediaType) { try JSONBody.checkContentType(other) }
        }
    }
}
