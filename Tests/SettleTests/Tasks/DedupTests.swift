import Testing

@testable import Settle

@Suite("Deduplication")
struct DedupTests {
    @Test(
        "what to do with a delivery",
        arguments: [
            (DedupRecord.unknown, false, DedupVerdict.apply),
            (.unknown, true, .apply),
            (.inHandHere, false, .apply),
            (.inHandHere, true, .apply),
            (.inHandElsewhere, false, .drop),
            (.inHandElsewhere, true, .apply),
            (.done(.finished), false, .answer(.finished)),
            (.done(.finished), true, .answer(.finished)),
            (.done(.rejected(reason: "r")), true, .answer(.rejected(reason: "r"))),
        ])
    func verdict(record: DedupRecord, redelivered: Bool, verdict: DedupVerdict) {
        #expect(DedupVerdict(record, redelivered: redelivered) == verdict)
    }

    @Test(
        "a decision is read from Redis as it was written",
        arguments: [
            TaskAnswer.finished, .rejected(reason: ""), .rejected(reason: "done"), .rejected(reason: "hand:x"),
            .rejected(reason: "rejected:no stock of 'é'"),
        ])
    func decision(answer: TaskAnswer) {
        #expect(RedisDedup.record(RedisDedup.value(of: answer), owner: "hand:me") == .done(answer))
    }

    @Test("whose hand it is in")
    func hand() {
        #expect(RedisDedup.record("hand:me", owner: "hand:me") == .inHandHere)
        #expect(RedisDedup.record("hand:you", owner: "hand:me") == .inHandElsewhere)
    }

    @Test("what is not understood is left to the database", arguments: ["", "DONE", "finished", "me", "hand"])
    func unknown(value: String) {
        #expect(RedisDedup.record(value, owner: "hand:me") == .unknown)
    }
}
