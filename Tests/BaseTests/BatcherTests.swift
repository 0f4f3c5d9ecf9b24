import Synchronization
import Testing

@testable import SettleCore

@Suite("Batcher", .timeLimit(.minutes(1)))
struct BatcherTests {
    /// Batches stop here until they are let go, and are remembered.
    private final class Gate: Sendable {
        private let batches = Mutex<[[Int]]>([])
        private let arrivals = Mailbox<Void>(capacity: .max)
        private let passes = Mailbox<Void>(capacity: .max)

        var seen: [[Int]] { batches.withLock { $0 } }

        func enter(_ batch: [Int]) async -> [Int] {
            batches.withLock { $0.append(batch) }
            arrivals.offer(())
            _ = await passes.take(atMost: 1)
            return batch.map { $0 * 10 }
        }

        func arrival() async { _ = await arrivals.take(atMost: 1) }
        func open() { passes.offer(()) }
    }

    @Test("an item alone leaves at once; what comes meanwhile leaves together, in order")
    func naturalBatching() async throws {
        let gate = Gate()
        let batcher = Batcher<Int, Int>(limit: 100) { await gate.enter($0) }
        try await withThrowingTaskGroup(of: Int.self) { group in
            group.addTask { try await batcher.submit(0) }
            await gate.arrival()
            for item in 1...9 { group.addTask { try await batcher.submit(item) } }
            while batcher.waitingCount < 9 { await Task.yield() }
            gate.open()
            await gate.arrival()
            gate.open()
            let outcomes = try await group.reduce(into: []) { $0.append($1) }
            #expect(outcomes.sorted() == (0...9).map { $0 * 10 })
        }
        #expect(gate.seen.map(\.count) == [1, 9])
    }

    @Test("no batch holds more than the limit")
    func limit() async throws {
        let gate = Gate()
        let batcher = Batcher<Int, Int>(limit: 4) { await gate.enter($0) }
        try await withThrowingTaskGroup(of: Int.self) { group in
            group.addTask { try await batcher.submit(0) }
            await gate.arrival()
            for item in 1...10 { group.addTask { try await batcher.submit(item) } }
            while batcher.waitingCount < 10 { await Task.yield() }
            for _ in 0..<4 { gate.open() }
            for try await _ in group {}
        }
        #expect(gate.seen.map(\.count) == [1, 4, 4, 2])
    }

    @Test("so many batches are on their way at once as there are concurrency")
    func concurrency() async throws {
        let running = Mutex((now: 0, most: 0))
        let batcher = Batcher<Int, Int>(limit: 1, concurrency: 3) { batch in
            running.withLock { $0 = ($0.now + 1, max($0.most, $0.now + 1)) }
            for _ in 0..<20 { await Task.yield() }
            running.withLock { $0.now -= 1 }
            return batch
        }
        try await withThrowingTaskGroup(of: Int.self) { group in
            for item in 0..<200 { group.addTask { try await batcher.submit(item) } }
            let sum = try await group.reduce(0, +)
            #expect(sum == 199 * 100)
        }
        #expect(running.withLock { $0.most } <= 3)
        #expect(running.withLock { $0.now } == 0)
    }

    @Test("who has waited for long leaves beside what is on its way, with what has gathered")
    func patience() async throws {
        let (begun, release) = (Mailbox<Void>(capacity: 1), Mailbox<Void>(capacity: 1))
        let batcher = Batcher<Int, Int>(limit: 100, patience: .milliseconds(50)) { batch in
            if batch.contains(0) {
                begun.offer(())
                _ = await release.take(atMost: 1)
            }
            return batch.map { $0 * 10 }
        }
        async let first = batcher.submit(0)
        _ = await begun.take(atMost: 1)
        try await withThrowingTaskGroup(of: Int.self) { group in
            for item in 1...9 { group.addTask { try await batcher.submit(item) } }
            let outcomes = try await group.reduce(into: []) { $0.append($1) }
            #expect(outcomes.sorted() == (1...9).map { $0 * 10 })
        }
        release.offer(())
        #expect(try await first == 0)
    }

    @Test("what a batch throws, each of its items throws, and the next batch is not touched by it")
    func failure() async throws {
        struct Broken: Error {}
        let batcher = Batcher<Int, Int>(limit: 1) { batch in
            guard batch != [3] else { throw Broken() }
            return batch
        }
        await withTaskGroup { group in
            for item in 0..<6 {
                group.addTask {
                    if item == 3 {
                        await #expect(throws: Broken.self) { try await batcher.submit(item) }
                    } else {
                        await #expect(throws: Never.self) { try await batcher.submit(item) }
                    }
                }
            }
        }
    }

    @Test("each caller gets its own outcome")
    func ownOutcome() async throws {
        let batcher = Batcher<Int, Int>(limit: 7, concurrency: 2) { batch in
            await Task.yield()
            return batch.map { $0 + 1 }
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for item in 0..<2_000 {
                group.addTask {
                    let outcome = try await batcher.submit(item)
                    #expect(outcome == item + 1)
                }
            }
            try await group.waitForAll()
        }
    }

    private enum Caller {
        @TaskLocal static var name = "nobody"
    }

    @Test("a batch runs for all its callers and carries the task-local values of none")
    func taskLocals() async throws {
        let seen = Mutex<Set<String>>([])
        let batcher = Batcher<Int, Int>(limit: 1) { batch in
            seen.withLock { _ = $0.insert(Caller.name) }
            return batch
        }
        for caller in ["first", "second"] {
            _ = try await Caller.$name.withValue(caller) { try await batcher.submit(1) }
        }
        #expect(seen.withLock { $0 } == ["nobody"])
    }

    @Test("what gathers is bounded in number: refused at once, and taken again when there is room")
    func bounded() async throws {
        let gate = Gate()
        let batcher = Batcher<Int, Int>(limit: 10, maxWaiting: 2) { await gate.enter($0) }
        try await withThrowingTaskGroup(of: Int.self) { group in
            group.addTask { try await batcher.submit(0) }
            await gate.arrival()
            for item in 1...2 { group.addTask { try await batcher.submit(item) } }
            while batcher.waitingCount < 2 { await Task.yield() }
            #expect(batcher.isFull)
            await #expect(throws: BatcherFull.self) { try await batcher.submit(3) }
            gate.open()
            await gate.arrival()
            #expect(!batcher.isFull)
            group.addTask { try await batcher.submit(4) }
            for _ in 0..<2 { gate.open() }
            let outcomes = try await group.reduce(into: []) { $0.append($1) }
            #expect(outcomes.sorted() == [0, 10, 20, 40])
        }
    }

    @Test("and in bytes, of which a single item may have more than all together")
    func boundedInBytes() async throws {
        let gate = Gate()
        let batcher = Batcher<Int, Int>(limit: 10, maxBytes: 100, size: { $0 }) { await gate.enter($0) }
        try await withThrowingTaskGroup(of: Int.self) { group in
            group.addTask { try await batcher.submit(500) }
            await gate.arrival()
            group.addTask { try await batcher.submit(60) }
            while batcher.waitingCount < 1 { await Task.yield() }
            await #expect(throws: BatcherFull.self) { try await batcher.submit(41) }
            group.addTask { try await batcher.submit(40) }
            while batcher.waitingCount < 2 { await Task.yield() }
            for _ in 0..<2 { gate.open() }
            for try await _ in group {}
        }
        #expect(gate.seen.map { Set($0) } == [[500], [60, 40]])
    }
}
