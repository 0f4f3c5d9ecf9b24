import Foundation
import SettleTestSupport
import Testing

@testable import Settle

@Suite("Task messages, written and read by hand")
struct FlatJSONTests {
    @Test(
        "what is not sure is left to others",
        arguments: [
            "", " ", "{", "}", "{}x", "[]", "null", #"{"a":1,}"#, #"{,"a":1}"#, #"{"a" 1}"#, #"{"a":1 "b":2}"#,
            #"{"a":01}"#,
            #"{"a":-}"#, #"{"a":1.0}"#, #"{"a":1e3}"#, #"{"a":+1}"#, #"{"a":1234567890123456789}"#, #"{"a":true}"#,
            #"{"a":nul}"#,
            #"{"a":{}}"#, #"{"a":[]}"#, #"{"a":1,"a":1}"#, #"{"a":"\ud83d\ude00"}"#, #"{"a":"\u0000"}"#, #"{"a":"\x"}"#,
            #"{"a":"\u00g0"}"#, #"{"a":"\u00"}"#, #"{"a":"\"#, #"{"a":"x"#, "{\"a\":\"\n\"}", "{'a':1}",
            #"{"a":"x"}"# + "\0",
        ])
    func unsure(json: String) {
        #expect(FlatJSON.members(Array(json.utf8)) == nil)
    }

    @Test(
        "bytes that are no UTF-8 are left to others", arguments: [[0xFF], [0xC3], [0xED, 0xA0, 0x80], [0xC0, 0x80]])
    func encoding(bytes: [UInt8]) {
        for escape in ["", "\\n"] {
            let json = Array(#"{"a":""#.utf8) + Array(escape.utf8) + bytes + Array(#""}"#.utf8)
            #expect(FlatJSON.members(json) == nil)
        }
    }

    @Test("space, escapes, signs and null are read")
    func read() throws {
        let json = #" { "a" : "x\"\\\/\n\t\r\b\f\u00e9\u20AC" , "b":-17,"c":null,"d":0 , "é":"" } "#
        let members = try #require(FlatJSON.members(Array(json.utf8)))
        #expect(members["a"] == .text("x\"\\/\n\t\r\u{8}\u{c}é€"))
        #expect(members["b"] == .number(-17))
        #expect(members["c"] == .null)
        #expect(members["d"] == .number(0))
        #expect(members["é"] == .text(""))
        #expect(members["e"] == nil)
        #expect(FlatJSON.members(Array("{}".utf8)) != nil)
    }

    @Test("whatever a task says, Foundation reads what is written here, and here is read what Foundation writes")
    func agrees() throws {
        var random = SeededNumbers(seed: 7)
        let pieces = [
            "", "a", "\"", "\\", "/", "\n", "\0", "\u{1}", "\u{1F}", "\u{7F}", "é", "e\u{301}", "€", "😀", "\u{2028}",
            "{}",
        ]
        func text() -> String {
            (0..<Int.random(in: 0..<12, using: &random)).map { _ in pieces.randomElement(using: &random)! }.joined()
        }
        let numbers = [
            0, 1, -1, Int64.max, .min, 999_999_999_999_999_999, 1_000_000_000_000_000_000, 1_700_000_000_000,
        ]
        func number() -> Int64 { numbers.randomElement(using: &random)! }
        for _ in 0..<2_000 {
            var message = TaskMessage(
                id: number(), createTime: number(), updateTime: number(), taskType: text(), mqExchange: text(),
                mqRoutingkey: text(), requestBody: text(), status: Bool.random(using: &random) ? text() : nil,
                errormsg: Bool.random(using: &random) ? text() : nil)
            message.answerBody = Bool.random(using: &random) ? text() : nil
            for json in [message.json, Array(try JSONEncoder().encode(message))] {
                #expect(try TaskMessage(json: json, JSONDecoder()) == message)
                #expect(try JSONDecoder().decode(TaskMessage.self, from: Data(json)) == message)
                #expect(
                    try AnswerMessage(json: json, JSONDecoder())
                        == JSONDecoder().decode(AnswerMessage.self, from: Data(json)))
            }
        }
    }

    @Test("cut short or changed in a byte, it is read as Foundation reads it, or refused as it refuses it")
    func damaged() throws {
        var random = SeededNumbers(seed: 11)
        let whole = TaskMessage(
            id: 7, createTime: 1_700_000_000_000, updateTime: 1_700_000_000_001, taskType: "addpoint", mqExchange: "ex",
            mqRoutingkey: "addpoint", requestBody: #"{"userName":"ä\n","orderId":"o","point":200}"#, status: "pending"
        ).json
        let bytes = Array("\"\\{}[],:0123eE+-.nutrfals \u{1}ä".utf8)
        for _ in 0..<4_000 {
            var json = whole
            let place = Int.random(in: 0..<json.count, using: &random)
            switch Int.random(in: 0..<3, using: &random) {
            case 0: json[place] = bytes.randomElement(using: &random)!
            case 1: json.remove(at: place)
            default: json.insert(bytes.randomElement(using: &random)!, at: place)
            }
            let foundation = try? JSONDecoder().decode(TaskMessage.self, from: Data(json))
            let ours = try? TaskMessage(json: json, JSONDecoder())
            #expect(ours == foundation, "\(String(decoding: json, as: UTF8.self))")
        }
    }
}
