import Testing

@testable import SettleRabbitMQ

@Suite struct QuarantineTests {
    private let now = ContinuousClock.now
    private let good = OutboundMessage(exchange: "good", routingKey: "k", messageID: "1", body: [])
    private let bad = OutboundMessage(exchange: "bad", routingKey: "k", messageID: "2", body: [])

    /// The next message to the same place.
    private func next(_ message: OutboundMessage) -> OutboundMessage {
        var message = message
        message.messageID += "'"
        return message
    }

    @Test(arguments: [404, 403])
    func suspectsGoAloneAndTheCulpritIsFound(code: Int) {
        var quarantine = Quarantine()
        #expect(quarantine.verdict(for: bad, at: now) == .send)
        quarantine.suspect([good, bad], code: code)
        for message in [good, bad] { #expect(quarantine.verdict(for: next(message), at: now) == .sendAlone) }
        let outcome = quarantine.convict(next(bad), code: code, text: "no", at: now)
        #expect(outcome == .returned(code: code, text: "no"))
        quarantine.acquit(next(good))
        #expect(quarantine.verdict(for: good, at: now) == .send)
        #expect(quarantine.verdict(for: bad, at: now) == .refuse(outcome))
    }

    @Test func aMissingExchangeIsMissingForEveryKeyAndAForbiddenOneMayNotBe() {
        for (code, expectsRefusal) in [(404, true), (403, false)] {
            var quarantine = Quarantine()
            let outcome = quarantine.convict(bad, code: code, text: "no", at: now)
            var other = bad
            other.routingKey = "other"
            #expect(quarantine.verdict(for: other, at: now) == (expectsRefusal ? .refuse(outcome) : .send))
        }
    }

    @Test func whatTheBrokerMindsInOneMessageIsNotHeldAgainstOthers() {
        var quarantine = Quarantine()
        let outcome = quarantine.convict(bad, code: 406, text: "too large", at: now)
        #expect(quarantine.verdict(for: bad, at: now) == .refuse(outcome))
        #expect(quarantine.verdict(for: next(bad), at: now) == .send)
    }

    @Test func itIsTriedAgainAloneAfterATimeThatGrowsToItsCap() {
        var quarantine = Quarantine()
        var time = now
        var delays: [Duration] = []
        for _ in 0..<10 {
            let outcome = quarantine.convict(bad, code: 403, text: "no", at: time)
            let begun = time
            while quarantine.verdict(for: bad, at: time) == .refuse(outcome) { time += .seconds(1) }
            #expect(quarantine.verdict(for: bad, at: time) == .sendAlone)
            delays.append(begun.duration(to: time))
        }
        #expect(delays[0] <= .seconds(5) && delays[9] >= .seconds(48) && delays.allSatisfy { $0 <= .seconds(60) })
        quarantine.acquit(bad)
        #expect(quarantine.verdict(for: bad, at: time) == .send)
        _ = quarantine.convict(bad, code: 403, text: "no", at: time)
        #expect(quarantine.verdict(for: bad, at: time + .seconds(6)) == .sendAlone, "it starts anew")
    }

    @Test func aSuspicionDoesNotShortenASentence() {
        var quarantine = Quarantine()
        let outcome = quarantine.convict(bad, code: 403, text: "no", at: now)
        quarantine.suspect([good, bad], code: 403)
        #expect(quarantine.verdict(for: bad, at: now) == .refuse(outcome))
    }

    @Test func itHoldsNoMoreThanItsCapacity() {
        var quarantine = Quarantine()
        let many = (0...Quarantine.capacity).map {
            OutboundMessage(exchange: "e", routingKey: "\($0)", messageID: "", body: [])
        }
        quarantine.suspect(many, code: 403)
        #expect(many.count { quarantine.verdict(for: $0, at: now) == .sendAlone } <= Quarantine.capacity)
    }
}
