import SettleCore
import Testing

@Suite("Back-off")
struct BackoffTests {
    private let backoff = Backoff(initial: .milliseconds(100), cap: .seconds(5), multiplier: 2, jitter: 0.5)

    @Test(
        "without luck it doubles until the cap",
        arguments: zip([1, 2, 3, 4, 6, 7, 8, 1000, .max], [100, 200, 400, 800, 3200, 5000, 5000, 5000, 5000]))
    func doubles(attempt: Int, milliseconds: Int) {
        #expect(backoff.delay(attempt: attempt, random: 0) == .milliseconds(milliseconds))
    }

    @Test("an attempt before the first counts as the first", arguments: [0, -1, Int.min])
    func beforeTheFirst(attempt: Int) {
        #expect(backoff.delay(attempt: attempt, random: 0) == .milliseconds(100))
    }

    @Test("chance takes away no more than the jitter allows")
    func jitter() {
        #expect(backoff.delay(attempt: 1, random: 0.5) == .milliseconds(75))
        for attempt in 1...20 {
            let whole = backoff.delay(attempt: attempt, random: 0)
            for _ in 0..<50 {
                let delay = backoff.delay(attempt: attempt)
                #expect(delay > whole * 0.4999 && delay <= whole)
            }
        }
    }

    @Test("no jitter, no chance")
    func steady() {
        let steady = Backoff(initial: .seconds(1), cap: .seconds(9), multiplier: 3, jitter: 0)
        #expect((1...4).map { steady.delay(attempt: $0) } == [.seconds(1), .seconds(3), .seconds(9), .seconds(9)])
    }
}
