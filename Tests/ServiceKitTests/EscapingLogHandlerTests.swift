import Logging
import SettleTestSupport
import Testing

@testable import SettleServiceKit

@Suite("Log: values from outside")
struct EscapingLogHandlerTests {
    @Test("control characters never reach the log as they are, wherever they stand")
    func escaped() {
        let collector = LogCollector()
        let log = collector.handler
        var logger = Logger(label: "test") { _ in EscapingLogHandler(log) }
        logger.logLevel = .debug
        logger[metadataKey: "kept"] = "a\rb"
        let evil = "x\n2026-01-01 error order: paid\u{1B}[2J\u{9B}\u{2028}\u{202E}\t\u{7F}"
        logger.info(
            "a \(evil)",
            metadata: [
                "text": "\(evil)", "list": ["\(evil)"], "map": ["key": "\(evil)"], "other": .stringConvertible(Evil()),
            ])
        let all = collector.lines.joined()
        #expect(all.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control })
        #expect(!all.contains("\u{2028}") && !all.contains("\u{202E}"))
        #expect(all.contains(#"x\n2026-01-01 error order: paid\u{1b}[2J\u{9b}\u{2028}\u{202e}\t\u{7f}"#))
        #expect(all.contains(#"kept=a\rb"#))
    }

    @Test("other text stays as it is", arguments: ["plain", "é 文 👩‍👩‍👧 \\n", ""])
    func plain(text: String) {
        #expect(EscapingLogHandler<LogCollector.Handler>.escaped(text) == text)
    }

    private struct Evil: CustomStringConvertible, Sendable {
        var description: String { "\u{0}" }
    }
}
