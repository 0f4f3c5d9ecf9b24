import Testing

@testable import Settle

@Suite("Deduplication")
struct DedupTests {
    @Test(
        "what is probably a duplicate is looked up first; nothing more follows from what Redis says",
        arguments: [
            (DedupRecord.unknown, false), (.inHandHere, false), (.inHandElsewhere, true), (.decided, true),
        ])
    func lookFirst(record: DedupRecord, isLookedUp: Bool) {
        #expect(record.saysLookFirst == isLookedUp)
    }

    @Test("a decision is read from Redis as it was written")
    func decision() {
        #expect(RedisDedup.record(RedisDedup.decided, owner: "hand:me") == .decided)
    }

    @Test("whose hand it is in")
    func hand() {
        #expect(RedisDedup.record("hand:me", owner: "hand:me") == .inHandHere)
        #expect(RedisDedup.record("hand:you", owner: "hand:me") == .inHandElsewhere)
    }

    @Test(
        "what is not understood is left to the database, as what earlier versions wrote",
        arguments: ["", "DECIDED", "finished", "me", "hand", "done", "rejected:no stock", "\u{0}", "decided\u{301}"])
    func unknown(value: String) {
        #expect(RedisDedup.record(value, owner: "hand:me") == .unknown)
    }
}
