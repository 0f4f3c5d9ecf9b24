import SettleCore
import Testing

@testable import Settle

@Suite("Whom to tell and whom to ask")
struct LinesTests {
    @Test("a line: the first entry needs somebody to empty it, what comes meanwhile does not; the end frees it")
    func line() {
        var line = ParticipantLine<Int>(capacity: 5)
        #expect(line.isIdle)
        var batch: [Int]?
        var start = line.add([1, 2])
        #expect(start == .lane)
        start = line.add([3])
        #expect(start == .standby)
        start = line.add([])
        #expect(start == nil)
        batch = line.next(atMost: 2)
        #expect(batch == [1, 2])
        line.putBack([1])
        batch = line.next(atMost: 9)
        #expect(batch == [3, 1])
        #expect(!line.isIdle, "its batch is on its way")
        batch = line.next(atMost: 9)
        #expect(batch == nil)
        #expect(!line.isIdle, "somebody stands by")
        let done = line.beside(nil, atMost: 9)
        guard case .done = done else { return #expect(Bool(false), "\(done)") }
        #expect(line.isIdle)
        start = line.add([4])
        #expect(start == .lane)
    }

    @Test("who stands by takes nothing while batches follow each other, and the next one when a batch stays away")
    func beside() {
        var line = ParticipantLine<Int>(capacity: 5)
        func beside(_ seen: Int?) -> String { "\(line.beside(seen, atMost: 2))" }
        for entry in 1...5 { _ = line.add([entry]) }
        _ = line.next(atMost: 1)
        #expect(beside(nil) == "wait(1)")
        _ = line.next(atMost: 1)
        #expect(beside(1) == "wait(2)", "one was taken since")
        #expect(beside(2) == "batch([3, 4])")
        #expect(beside(3) == "batch([5])")
        #expect(beside(4) == "wait(4)", "nothing waits, and the first batches are still on their way")
        line.putBack([3])
        for left in [[3], nil] as [[Int]?] {
            let batch = line.next(atMost: 9)
            #expect(batch == left)
        }
        line.putBack([5])
        #expect(beside(4) == "batch([5])", "nobody else is there")
        #expect(beside(nil) == "done")
        #expect(line.isIdle)
    }

    @Test("a line holds no more than it may")
    func capacity() {
        var line = ParticipantLine<Int>(capacity: 3)
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
