import Foundation
import Logging
import Synchronization
import Testing

@testable import SettleServiceKit

@Suite("Log lines as JSON")
struct JSONLogHandlerTests {
    private final class Lines: Sendable {
        let all = Mutex<[String]>([])
    }

    private static func logger(_ lines: Lines, label: String = "order") -> Logger {
        Logger(label: label) { label in
            JSONLogHandler(
                service: "order", label: label, level: .info,
                provider: Logger.MetadataProvider { ["traceId": "abc"] },
                now: { Date(timeIntervalSince1970: 1.25) }, write: { line in lines.all.withLock { $0.append(line) } })
        }
    }

    @Test("each is one object, its fields first, its values by their names")
    func line() {
        let lines = Lines()
        var logger = Self.logger(lines)
        logger[metadataKey: "orderId"] = "7"
        logger.debug("not this one")
        logger.info("it settled", metadata: ["level": "x", "list": ["a", "b"], "more": ["k": "v", "j": "w"]])
        Self.logger(lines, label: "amqp").warning("it is away")
        #expect(
            lines.all.withLock { $0 } == [
                #"{"time":"1970-01-01T00:00:01.250Z","level":"info","service":"order","message":"it settled","#
                    + #""_level":"x","list":["a","b"],"more":{"j":"w","k":"v"},"orderId":"7","traceId":"abc"}"#,
                #"{"time":"1970-01-01T00:00:01.250Z","level":"warning","service":"order","message":"it is away","#
                    + #""logger":"amqp","traceId":"abc"}"#,
            ])
    }

    @Test("whatever a value is, the line is one line of JSON, and says the same again")
    func hostile() throws {
        let lines = Lines()
        let text = "\"\\\n\r\t\0\u{1b}[2J\u{2028}\u{202e}ä😀\u{7f}"
        Self.logger(lines).info("m", metadata: ["value": "\(text)", "na\"me": "x"])
        let line = lines.all.withLock { $0[0] }
        #expect(!line.unicodeScalars.contains { $0.value < 0x20 || $0 == "\u{7f}" || $0 == "\u{2028}" })
        let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: String])
        #expect(object["value"] == text && object["na\"me"] == "x")
    }
}
