import Testing

@testable import SettleCore

@Suite("Pace of batches")
struct BatchPaceTests {
    private let start = ContinuousClock.now

    private func pace(after took: Duration) -> BatchPace {
        var pace = BatchPace()
        pace.ended(at: start, began: start - took)
        return pace
    }

    @Test("the first batch begins whenever it likes, the next when as much time has passed")
    func atOnce() {
        #expect(BatchPace().begin(with: 1) == nil)
        #expect(pace(after: .zero).begin(with: 1) == start)
    }

    @Test("who comes close behind a batch waits for as long as that took")
    func asLong() {
        let pace = pace(after: .milliseconds(5))
        #expect(pace.begin(with: 1) == start + .milliseconds(5))
        #expect(pace.begin(with: 63) == start + .milliseconds(5))
    }

    @Test("but not for longer than the longest rest, and not when plenty has gathered")
    func bounded() {
        let pace = pace(after: .seconds(3))
        #expect(pace.begin(with: 1) == start + BatchPace.longest)
        #expect(pace.begin(with: BatchPace.plenty) == nil)
    }

    @Test("a rest of a task ends after that time, with its cancellation, and is none when plenty has gathered")
    func asleep() async {
        let clock = ContinuousClock()
        #expect(
            await clock.measure { await BatchPace.rest(since: .now - .seconds(9), gathered: 1) } >= BatchPace.longest)
        #expect(
            await clock.measure { await BatchPace.rest(since: .now - .seconds(9), gathered: 64) } < .milliseconds(15))
        let cancelled = Task {
            await Task.yield()
            await BatchPace.rest(since: .now - .seconds(9), gathered: 1)
        }
        cancelled.cancel()
        await cancelled.value
    }
}
