import Foundation
import Testing

@testable import SettleServiceKit

@Suite("JSON whose form its owner alone knows")
struct JSONValueTests {
    @Test(
        "comes back as it was, and the same value has the same text",
        arguments: [
            (#"{"b": [1, 2.5, null, true], "a": {"c": "x/y"}}"#, #"{"a":{"c":"x/y"},"b":[1,2.5,null,true]}"#),
            ("{}", "{}"), ("[]", "[]"), (#""ä""#, #""ä""#), ("-9223372036854775808", "-9223372036854775808"),
            ("false", "false"), ("null", "null"),
        ])
    func roundTrip(given: String, text: String) throws {
        let value = try JSONValue(text: given)
        #expect(try value.text == text)
        #expect(try JSONValue(text: value.text) == value)
        #expect(value.isObject == given.hasPrefix("{"))
    }
}
