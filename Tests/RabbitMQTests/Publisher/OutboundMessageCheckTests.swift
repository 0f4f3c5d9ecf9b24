import Testing

@testable import SettleRabbitMQ

@Suite struct OutboundMessageCheckTests {
    private let message = OutboundMessage(exchange: "e", routingKey: "k", messageID: "1", body: [1, 2, 3])

    @Test func anOrdinaryMessageMayGo() {
        #expect(message.refusal(maxMessage: 3) == nil)
    }

    @Test func whatNoBrokerCouldTakeIsReturned() {
        #expect(code(message) == 311)
        for path in [\OutboundMessage.exchange, \.routingKey, \.messageID] {
            var long = message
            long[keyPath: path] = String(repeating: "ä", count: 128)
            #expect(code(long, maxMessage: 3) == 502)
        }
        for headers in [
            ["": "x"], [String(repeating: "n", count: 129): "x"], ["n": String(repeating: "x", count: 4000)],
        ] {
            var bad = message
            bad.headers = headers
            #expect(code(bad, maxMessage: 3) == 502)
        }
    }

    private func code(_ message: OutboundMessage, maxMessage: Int = 2) -> Int? {
        if case .returned(let code, _) = message.refusal(maxMessage: maxMessage) { code } else { nil }
    }
}
