import Testing

@testable import RabbitMQ

@Suite struct MissingExchangesTests {
    @Test func aMissingExchangeIsRememberedForAWhile() {
        let now = ContinuousClock.now
        var missing = MissingExchanges()
        missing.add("gone", at: now)
        #expect(missing.outcome(for: "there", at: now) == nil)
        #expect(
            missing.outcome(for: "gone", at: now) == .returned(code: 404, text: "NOT_FOUND - no exchange 'gone'"))
        #expect(missing.outcome(for: "gone", at: now + MissingExchanges.memory) == nil)
        #expect(missing.outcome(for: "gone", at: now) == nil)
    }
}
