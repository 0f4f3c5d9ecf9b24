import SettleCore
import Testing

@testable import SettleRabbitMQ

@Suite struct DeliveryBatcherTests {
    private let now = ContinuousClock.now
    private let backoff = Backoff(initial: .seconds(1), cap: .seconds(4), jitter: 0)

    private func batcher(_ tags: ClosedRange<Int>) -> DeliveryBatcher {
        var batcher = DeliveryBatcher(backoff: backoff)
        gather(tags, &batcher)
        return batcher
    }

    private func gather(_ tags: ClosedRange<Int>, _ batcher: inout DeliveryBatcher) {
        for tag in tags { batcher.gather(delivery(tag), tag: UInt64(tag)) }
    }

    private func delivery(_ number: Int) -> Delivery {
        Delivery(queue: "q", exchange: "e", routingKey: "k", messageID: "\(number)", body: [])
    }

    @Test func whatGathersMeanwhileIsTheNextBatch() {
        var batcher = batcher(1...3)
        #expect(batcher.next(at: now) == (1...3).map(delivery))
        gather(4...5, &batcher)
        #expect(batcher.next(at: now) == nil)
        #expect(batcher.succeeded(at: now) == 3)
        #expect(batcher.next(at: now) == (4...5).map(delivery))
        #expect(batcher.succeeded(at: now) == 5)
        #expect(batcher.next(at: now) == nil)
    }

    @Test func afterABatchItRestsAsLongAsThatTookUnlessThereIsPlenty() {
        var batcher = batcher(1...1)
        _ = batcher.next(at: now)
        gather(2...3, &batcher)
        let end = now + .milliseconds(5)
        #expect(batcher.succeeded(at: end) == 1)
        #expect(batcher.next(at: end) == nil)
        #expect(batcher.dueAt == end + .milliseconds(5))
        var full = batcher
        gather(4...65, &full)
        #expect(full.next(at: end) == (2...65).map(delivery))
        var later = batcher
        #expect(later.next(at: end + .milliseconds(5)) == (2...3).map(delivery))
        var heavy = bounded(.max, batch: 1000, 1...3)
        _ = heavy.next(at: now)
        #expect(heavy.succeeded(at: end) == 1)
        #expect(heavy.next(at: end) == [large(2)], "a batch cannot be larger")
    }

    @Test func aFailedBatchComesAgainUnchangedAfterABackOffThatGrows() {
        var batcher = batcher(1...2)
        for (tries, delay) in [1, 2, 4, 4].enumerated() {
            let time = now + .seconds(100 * tries)
            #expect(batcher.next(at: time) == (1...2).map(delivery))
            gather(10 + tries...10 + tries, &batcher)
            batcher.failed(at: time)
            #expect(!batcher.isRunning)
            #expect(batcher.dueAt == time + .seconds(delay))
            #expect(batcher.next(at: time + .seconds(delay) - .milliseconds(1)) == nil)
        }
        #expect(batcher.next(at: now + .seconds(1000)) == (1...2).map(delivery))
        #expect(batcher.succeeded(at: now) == 2)
        #expect(batcher.next(at: now) == (10...13).map(delivery))
        batcher.failed(at: now)
        #expect(batcher.dueAt == now + .seconds(1), "success starts the back-off anew")
    }

    @Test func nothingOfALostConnectionIsAcknowledged() {
        var batcher = batcher(1...2)
        _ = batcher.next(at: now)
        gather(3...3, &batcher)
        batcher.disconnected()
        gather(1...1, &batcher)
        #expect(batcher.next(at: now) == nil, "one handler at a time, also across connections")
        #expect(batcher.isRunning)
        #expect(batcher.succeeded(at: now) == nil)
        #expect(batcher.next(at: now) == [delivery(1)])
        #expect(batcher.succeeded(at: now) == 1)
    }

    @Test func aFailureOnALostConnectionIsNotTriedAgain() {
        var batcher = batcher(1...2)
        _ = batcher.next(at: now)
        batcher.disconnected()
        batcher.failed(at: now)
        #expect(batcher.dueAt == nil)
        #expect(batcher.next(at: now + .seconds(10)) == nil)
    }

    @Test func aBatchThatWaitsIsDroppedWithItsConnection() {
        var batcher = batcher(1...2)
        _ = batcher.next(at: now)
        batcher.failed(at: now)
        batcher.disconnected()
        #expect(batcher.next(at: now + .seconds(10)) == nil)
    }

    @Test func stoppingBeginsNothingAndLetsWhatRunsEnd() {
        var batcher = batcher(1...2)
        _ = batcher.next(at: now)
        gather(3...4, &batcher)
        batcher.stop()
        gather(5...5, &batcher)
        #expect(batcher.isRunning)
        #expect(batcher.succeeded(at: now) == 2)
        #expect(!batcher.isRunning)
        #expect(batcher.next(at: now) == nil)
    }

    @Test func stoppingDropsABatchThatFailed() {
        var batcher = batcher(1...2)
        _ = batcher.next(at: now)
        batcher.stop()
        batcher.failed(at: now)
        #expect(batcher.dueAt == nil)
        #expect(batcher.next(at: now + .seconds(10)) == nil)
    }

    // MARK: Bytes

    private func large(_ number: Int) -> Delivery {
        var large = delivery(number)
        large.body = Array(repeating: 0, count: 1000 - large.byteCount)
        return large
    }

    private func bounded(_ maxBytes: Int, batch: Int = .max, _ tags: ClosedRange<Int>) -> DeliveryBatcher {
        var batcher = DeliveryBatcher(backoff: backoff, maxBytes: maxBytes, maxBatchBytes: batch)
        for tag in tags { batcher.gather(large(tag), tag: UInt64(tag)) }
        return batcher
    }

    @Test func aBatchIsBoundedInBytesAndAcknowledgedByItsOwnLastTag() {
        var batcher = bounded(.max, batch: 2500, 1...5)
        for (tags, last) in [(1...2, 2), (3...4, 4), (5...5, 5)] {
            #expect(batcher.next(at: now) == tags.map(large))
            #expect(batcher.succeeded(at: now) == UInt64(last))
        }
        #expect(batcher.next(at: now) == nil)
        var narrow = bounded(.max, batch: 10, 1...2)
        #expect(narrow.next(at: now) == [large(1)], "one at least")
    }

    @Test func whatThereIsNoRoomForIsGivenBackWhenAllBeforeItIsDone() {
        var batcher = bounded(3500, batch: 2000, 1...3)
        #expect(batcher.room == 500)
        #expect(batcher.giveBack() == nil)
        batcher.turnAway(4)
        #expect(batcher.room == 0, "not even a small one: its tag must not lie before one that is done")
        batcher.turnAway(5)
        #expect(batcher.next(at: now) == [large(1), large(2)])
        #expect(batcher.giveBack() == nil)
        batcher.failed(at: now)
        #expect(batcher.giveBack() == nil, "a batch that failed is held, and its bytes count")
        #expect(batcher.next(at: now + .seconds(9)) == [large(1), large(2)])
        #expect(batcher.succeeded(at: now) == 2)
        #expect(batcher.giveBack() == nil)
        #expect(batcher.next(at: now) == [large(3)])
        #expect(batcher.succeeded(at: now) == 3)
        #expect(batcher.giveBack() == 5)
        #expect(batcher.giveBack() == nil)
        #expect(batcher.room == .max, "one is always taken")
    }

    @Test func aLostConnectionForgetsWhatWasTurnedAwayButNotWhatAHandlerHolds() {
        var batcher = bounded(3500, 1...3)
        _ = batcher.next(at: now)
        batcher.turnAway(4)
        batcher.disconnected()
        #expect(batcher.room == 500)
        #expect(batcher.succeeded(at: now) == nil)
        #expect(batcher.giveBack() == nil)
        #expect(batcher.room == .max)
    }

    @Test func thePrefetchKeepsTheRoundsBelowWhatAQuorumQueueAllows() {
        let mebibyte = 1024 * 1024
        func prefetch(_ wanted: UInt16, _ maxDelivery: Int) -> UInt16 {
            Consumption.prefetch(wanted, maxDelivery: maxDelivery, maxHeldBytes: 64 * mebibyte)
        }
        #expect(prefetch(500, mebibyte + mebibyte / 16) == 500)
        #expect(prefetch(500, 16 * mebibyte) == 64)
        #expect(prefetch(.max, 1) == .max)
        #expect(prefetch(5, 1 << 50) == 1)
    }
}
