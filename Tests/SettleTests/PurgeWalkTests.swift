import Synchronization
import Testing

@testable import Settle

@Suite("A purge's walk")
struct PurgeWalkTests {
    /// A table of numbers, of which some may be deleted.
    private final class Table: Sendable {
        private let state: Mutex<(rows: Set<Int>, kept: Set<Int>, seen: [Int])>

        init(_ rows: some Sequence<Int>, keeping kept: Set<Int> = []) {
            state = Mutex((Set(rows), kept, []))
        }

        var rows: [Int] { state.withLock { $0.rows.sorted() } }

        /// What was looked at since the last time.
        func seen() -> [Int] {
            state.withLock { state in
                defer { state.seen = [] }
                return state.seen
            }
        }

        func insert(_ rows: some Sequence<Int>) { state.withLock { $0.rows.formUnion(rows) } }
        func release() { state.withLock { $0.kept = [] } }

        func batch(after key: Int?) -> PurgeWalk<Int>.Step {
            state.withLock { state in
                let walked = state.rows.sorted().filter { $0 > key ?? .min }.prefix(3)
                let old = walked.filter { !state.kept.contains($0) }
                state.rows.subtract(old)
                state.seen += walked
                return PurgeWalk.Step(last: walked.last, walked: walked.count, purged: old.count)
            }
        }
    }

    @Test("a round deletes all that may be deleted, batch by batch, and walks past the rest")
    func round() async throws {
        let table = Table(1...10, keeping: [2, 9])
        let walk = PurgeWalk<Int>()
        #expect(try await walk.round(batchSize: 3) { table.batch(after: $0) } == 8)
        #expect(table.rows == [2, 9])
        #expect(table.seen() == Array(1...10))
    }

    @Test("a round goes on where the one before the last had ended; what had to stay then is looked at once more")
    func goesOn() async throws {
        let table = Table(1...4, keeping: [4])
        let walk = PurgeWalk<Int>()
        for last in [4, 8, 12, 16] {
            table.insert(last - 3...last)
            _ = try await walk.round(batchSize: 3) { table.batch(after: $0) }
            if last == 8 { #expect(table.seen().contains(4)) }
        }
        _ = table.seen()
        table.insert(17...20)
        _ = try await walk.round(batchSize: 3) { table.batch(after: $0) }
        #expect(table.seen() == Array(17...20), "nothing from before is read again")
    }

    @Test("of so many rounds one begins at the start, and a round that failed is begun again")
    func fullRound() async throws {
        struct Trouble: Error {}
        let table = Table(1...3, keeping: [1])
        let walk = PurgeWalk<Int>(fullRoundEvery: 5)
        for last in [6, 9, 12, 15] {
            table.insert(last - 2...last)
            _ = try await walk.round(batchSize: 3) { table.batch(after: $0) }
        }
        table.release()
        _ = table.seen()
        #expect(try await walk.round(batchSize: 3) { table.batch(after: $0) } == 0)
        #expect(!table.seen().contains(1))
        await #expect(throws: Trouble.self) { try await walk.round(batchSize: 3) { _ in throw Trouble() } }
        #expect(try await walk.round(batchSize: 3) { table.batch(after: $0) } == 1)
        #expect(table.rows.isEmpty)
    }
}
