import SettleRabbitMQ
import Testing

@testable import Settle

/// A dead letter can always be published, whatever was in the message that nobody can read.
@Suite("Dead letters")
struct DeadLetterTests {
    private let route = DeadLetterRoute(exchange: "dead", queue: "dead")

    private func message(
        headers: [String: String] = [:], reason: String = "unreadable", messageID: String? = "7"
    ) -> OutboundMessage {
        let delivery = Delivery(
            queue: "q", exchange: "e", routingKey: "add", messageID: messageID, headers: headers, body: [1])
        return DeadLetter(delivery, reason: reason).message(for: route)
    }

    private func fits(_ message: OutboundMessage) -> Bool {
        message.headers.reduce(0) { $0 + OutboundMessage.headerBytes($1.key, $1.value) }
            <= OutboundMessage.maxHeadersBytes
            && message.headers.keys.allSatisfy { (1...OutboundMessage.maxHeaderNameBytes).contains($0.utf8.count) }
            && message.messageID.utf8.count <= OutboundMessage.maxNameBytes
    }

    @Test("what fits goes along")
    func small() {
        let letter = message(headers: ["traceparent": "00-1", "a": "b"])
        #expect(letter.headers == ["traceparent": "00-1", "a": "b", "x-reason": "unreadable", "x-queue": "q"])
        #expect(letter.messageID == "7")
    }

    @Test("headers that do not fit are left out, and said to be; the others stay")
    func headers() {
        let long = String(repeating: "n", count: 129)
        let letter = message(headers: ["big": String(repeating: "x", count: 4_000), "": "x", long: "y", "kept": "z"])
        #expect(fits(letter))
        #expect(letter.headers["kept"] == "z")
        #expect(letter.headers["x-left-out"]?.hasPrefix("3: ") == true)
        #expect(letter.headers["x-queue"] == "q")
    }

    @Test("a reason is cut by bytes")
    func reason() {
        let letter = message(reason: String(repeating: "😀", count: 5_000))
        #expect(fits(letter))
        #expect(letter.headers["x-reason"]?.utf8.count == 1_000)
    }

    @Test("an id that was no UTF-8 has grown; it is cut")
    func messageID() {
        #expect(message(messageID: String(repeating: "\u{FFFD}", count: 255)).messageID.utf8.count == 255)
    }

    @Test("a thousand random sets of headers: each letter fits")
    func random() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<1_000 {
            var headers: [String: String] = [:]
            for _ in 0..<Int.random(in: 0...60, using: &random) {
                let name = String(repeating: "ä", count: .random(in: 0...100, using: &random))
                headers[name + "\(Int.random(in: 0...99))"] = String(
                    repeating: "v", count: .random(in: 0...3_500, using: &random))
            }
            let letter = message(headers: headers, reason: String(repeating: "r", count: .random(in: 0...9_000)))
            #expect(fits(letter), "\(headers.map { ($0.key.utf8.count, $0.value.utf8.count) })")
        }
    }
}
