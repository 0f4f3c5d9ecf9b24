import Testing

@testable import SettleCore

@Suite("A short memory")
struct ShortMemoryTests {
    private let start = ContinuousClock.now

    @Test("what is remembered counts until its time is over, and not a moment longer")
    func lifetime() {
        var memory = ShortMemory<String>(lifetime: .seconds(10), limit: 4)
        #expect(!memory.holds("a", at: start))
        memory.insert("a", askedAt: start)
        #expect(memory.holds("a", at: start))
        #expect(memory.holds("a", at: start + .milliseconds(9_999)))
        #expect(!memory.holds("a", at: start + .seconds(10)))
        #expect(!memory.holds("b", at: start))
        memory.insert("a", askedAt: start + .seconds(12))
        #expect(memory.holds("a", at: start + .seconds(21)))
    }

    @Test("it never holds more than its limit, and goes on remembering")
    func limit() {
        var memory = ShortMemory<Int>(lifetime: .seconds(10), limit: 100)
        for key in 0..<1_050 {
            memory.insert(key, askedAt: start)
            #expect(memory.holds(key, at: start))
            #expect(memory.count <= 100)
        }
        // A key that is there already needs no room.
        for _ in 0..<200 { memory.insert(1_049, askedAt: start) }
        #expect(memory.holds(1_000, at: start))
    }
}
