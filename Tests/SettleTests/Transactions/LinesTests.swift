import SettleCore
import Testing

@testable import Settle

@Suite("Whom to tell and whom to ask")
struct LinesTests {
    @Test("a line: the first entry needs somebody to empty it, what comes meanwhile does not; the end frees it")
    func line() {
        var line = ParticipantLine<Int>(concurrency: 1, capacity: 5)
        #expect(line.isIdle)
        var batch: [Int]?
        var starts = line.add([1, 2])
        #expect(starts)
        starts = line.add([3])
        #expect(!starts)
        batch = line.next(atMost: 2)
        #expect(batch == [1, 2])
        line.putBack([1])
        batch = line.next(atMost: 9)
        #expect(batch == [3, 1])
        #expect(!line.isIdle, "its batch is on its way")
        batch = line.next(atMost: 9)
        #expect(batch == nil)
        #expect(line.isIdle)
        starts = line.add([4])
        #expect(starts)
    }

    @Test("two concurrency: a second batch may be on its way beside the first, a third may not")
    func concurrency() {
        var line = ParticipantLine<Int>(concurrency: 2, capacity: 5)
        for starts in [true, true, false] {
            let isNeeded = line.add([1])
            #expect(isNeeded == starts)
        }
        for left in [[1, 1], [1], nil, nil] as [[Int]?] {
            #expect(!line.isIdle)
            let batch = line.next(atMost: 2)
            #expect(batch == left)
        }
        #expect(line.isIdle)
    }

    @Test("a line holds no more than it may")
    func capacity() {
        var line = ParticipantLine<Int>(concurrency: 1, capacity: 3)
        _ = line.add([1, 2, 3, 4])
        line.putBack([5])
        let batch = line.next(atMost: 9)
        #expect(batch == [1, 2, 3])
    }

    @Test("an initiator that is being asked, or has failed, is left alone; the longer, the more often it has failed")
    func initiators() {
        var initiators = InitiatorsToAsk(
            backoff: Backoff(initial: .seconds(1), cap: .seconds(4), multiplier: 2, jitter: 0))
        var now = ContinuousClock.now
        initiators.ask("a")
        #expect(initiators.excluded(now: now) == ["a"])
        for pause in [1, 2, 4, 4] {
            initiators.failed("a", now: now)
            #expect(initiators.excluded(now: now + .seconds(pause) - .milliseconds(1)) == ["a"])
            now += .seconds(pause)
            #expect(initiators.excluded(now: now) == [])
            initiators.ask("a")
        }
        initiators.answered("a")
        #expect(initiators.excluded(now: now) == [])
        initiators.failed("a", now: now)
        #expect(initiators.excluded(now: now + .seconds(1)) == [], "it began anew")
    }
}
