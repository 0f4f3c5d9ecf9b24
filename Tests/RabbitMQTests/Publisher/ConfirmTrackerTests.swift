import Testing

@testable import SettleRabbitMQ

@Suite struct ConfirmTrackerTests {
    private let start = ContinuousClock.now

    /// Messages 1, 2, … sent a second apart.
    private func tracker(_ count: Int) -> ConfirmTracker<Int> {
        var tracker = ConfirmTracker<Int>()
        for number in 1...count {
            tracker.sent(number, at: start + .seconds(number))
        }
        return tracker
    }

    private func outcomes(_ settled: [ConfirmTracker<Int>.Settled]) -> [Int: PublishOutcome] {
        Dictionary(uniqueKeysWithValues: settled.map { ($0.token, $0.outcome) })
    }

    @Test func oneAckSettlesOne() {
        var tracker = tracker(3)
        #expect(outcomes(tracker.acked(2, multiple: false)) == [2: .confirmed])
        #expect(tracker.count == 2)
        #expect(tracker.oldest == start + .seconds(1))
    }

    @Test func aMultipleAckSettlesAllUpToIt() {
        var tracker = tracker(5)
        _ = tracker.acked(2, multiple: false)
        #expect(outcomes(tracker.acked(4, multiple: true)) == [1: .confirmed, 3: .confirmed, 4: .confirmed])
        #expect(tracker.count == 1)
        #expect(tracker.oldest == start + .seconds(5))
    }

    @Test func nothingIsSettledTwiceOrUnknown() {
        var tracker = tracker(2)
        _ = tracker.acked(1, multiple: true)
        #expect(tracker.acked(1, multiple: false).isEmpty)
        #expect(tracker.acked(1, multiple: true).isEmpty)
        #expect(tracker.acked(0, multiple: true).isEmpty)
        #expect(tracker.acked(99, multiple: true).isEmpty)
        #expect(tracker.nacked(99, multiple: false).isEmpty)
        #expect(tracker.count == 1)
    }

    @Test func aReturnDecidesWhatTheAckThenSettles() {
        var tracker = tracker(3)
        tracker.returned(code: 312, text: "NO_ROUTE") { $0 == 2 }
        #expect(
            outcomes(tracker.acked(3, multiple: true))
                == [1: .confirmed, 2: .returned(code: 312, text: "NO_ROUTE"), 3: .confirmed])
    }

    @Test func returnsThatMatchSeveralGoToThemInTurn() {
        var tracker = tracker(3)
        tracker.returned(code: 312, text: "a") { _ in true }
        tracker.returned(code: 312, text: "b") { _ in true }
        tracker.returned(code: 312, text: "c") { _ in false }
        #expect(
            outcomes(tracker.acked(3, multiple: true))
                == [1: .returned(code: 312, text: "a"), 2: .returned(code: 312, text: "b"), 3: .confirmed])
    }

    @Test func aNackRefuses() {
        var tracker = tracker(3)
        #expect(outcomes(tracker.nacked(2, multiple: true)) == [1: .nacked, 2: .nacked])
        #expect(outcomes(tracker.acked(3, multiple: false)) == [3: .confirmed])
        #expect(tracker.oldest == nil)
    }

    @Test func aLostChannelLosesAllAndCountsFromOneAgain() {
        var tracker = tracker(3)
        _ = tracker.acked(2, multiple: false)
        tracker.returned(code: 312, text: "NO_ROUTE") { $0 == 3 }
        #expect(
            outcomes(tracker.lost(reason: "gone"))
                == [1: .lost(reason: "gone"), 3: .returned(code: 312, text: "NO_ROUTE")])
        #expect(tracker.count == 0)
        tracker.sent(9, at: start)
        #expect(outcomes(tracker.acked(1, multiple: false)) == [9: .confirmed])
    }

    @Test func whatIsLateIsGivenUpAndItsConfirmIgnored() {
        var tracker = tracker(4)
        _ = tracker.acked(1, multiple: false)
        #expect(tracker.expired(sentBy: start, reason: "late").isEmpty)
        #expect(
            outcomes(tracker.expired(sentBy: start + .seconds(3), reason: "late"))
                == [2: .lost(reason: "late"), 3: .lost(reason: "late")])
        #expect(tracker.acked(2, multiple: false).isEmpty)
        #expect(outcomes(tracker.acked(4, multiple: true)) == [4: .confirmed])
    }

    @Test func aLongRunInAnyOrderSettlesEachMessageOnce() {
        var random = SystemRandomNumberGenerator()
        var tracker = ConfirmTracker<Int>()
        var (sent, settled) = (0, [Int]())
        for _ in 0..<5000 {
            for _ in 0..<Int.random(in: 0...4, using: &random) {
                sent += 1
                tracker.sent(sent, at: start)
            }
            guard sent > 0 else { continue }
            let tag = UInt64(Int.random(in: max(1, sent - 50)...sent, using: &random))
            settled += tracker.acked(tag, multiple: Bool.random(using: &random)).map(\.token)
            #expect(tracker.count == sent - settled.count)
        }
        settled += tracker.acked(UInt64(sent), multiple: true).map(\.token)
        #expect(settled.sorted() == Array(1...sent))
        #expect(tracker.count == 0)
    }
}
