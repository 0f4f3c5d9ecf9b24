import SettleTestSupport
import Synchronization
import Testing

@testable import SettlePostgres
@testable import Settle

@Suite("Waiting for rows", .timeLimit(.minutes(1)))
struct WaitingTests {
    private func xid(_ name: String) -> XID { XID(rawValue: name) ?? XID() }

    @Test("when the holder ends, the first in line for its row is called, and nobody else")
    func firstInLine() {
        var lines = RowLines()
        for waiter in 1...3 { _ = lines.join(waiter, row: "tea", heldBy: xid("a")) }
        _ = lines.join(4, row: "cup", heldBy: xid("b"))
        #expect([1, 2, 3, 4].map(lines.position) == [0, 1, 2, 0])
        var called = lines.ended([xid("c")])
        #expect(called.isEmpty)
        called = lines.ended([xid("a")])
        #expect(called == [1])
        // It gets the row, and the others wait for it now.
        var next = lines.leave(1, .holding(xid("x1")))
        #expect(next == nil)
        #expect([2, 3].map(lines.position) == [0, 1])
        called = lines.ended([xid("a"), xid("x1")])
        #expect(called == [2])
        // Somebody else was faster: it keeps its place.
        next = lines.join(2, row: "tea", heldBy: xid("d"))
        #expect(next == nil)
        #expect([2, 3].map(lines.position) == [0, 1])
        called = lines.ended([xid("d"), xid("b")])
        #expect(called == [2, 4])
    }

    @Test("who does not keep the row, or did not get it, calls the next; not while somebody is known to hold it")
    func passingOn() {
        var lines = RowLines()
        for waiter in 1...5 { _ = lines.join(waiter, row: "tea", heldBy: xid("a")) }
        var next = lines.leave(5, .gone)
        #expect(next == nil)
        let called = lines.ended([xid("a")])
        #expect(called == [1])
        next = lines.leave(1, .done)
        #expect(next == 2)
        next = lines.leave(2, .gone)
        #expect(next == 3)
        next = lines.join(3, row: "cup", heldBy: xid("b"))
        #expect(next == 4)
        // Its holder had ended elsewhere, which nobody said here.
        _ = lines.join(6, row: "cup", heldBy: xid("b"))
        next = lines.leave(3, .done)
        #expect(next == 6)
        for waiter in [4, 6] { next = lines.leave(waiter, .done) }
        #expect(next == nil && lines.isEmpty)
    }

    @Test("who needs a row that others wait for stands behind them, whoever holds it, and is called in turn")
    func queueing() {
        var lines = RowLines()
        var isQueued = lines.queue(1, forAnyOf: ["tea", "cup"])
        #expect(!isQueued, "nobody waits for it")
        _ = lines.join(1, row: "tea", heldBy: xid("a"))
        isQueued = lines.queue(2, forAnyOf: ["cup", "tea"])
        #expect(isQueued && lines.position(of: 2) == 1)
        var called = lines.ended([xid("a")])
        #expect(called == [1])
        isQueued = lines.queue(3, forAnyOf: ["tea"])
        #expect(isQueued, "the one that was called is not through yet")
        var next = lines.leave(1, .holding(xid("x1")))
        #expect(next == nil)
        called = lines.ended([xid("x1")])
        #expect(called == [2])
        next = lines.leave(2, .gone)
        #expect(next == 3)
        next = lines.leave(3, .done)
        #expect(next == nil && lines.isEmpty)
    }

    @Test("a request whose row others wait for is not tried before they are through, but is after a while")
    func hint() async throws {
        var refusal = PostgresError(.server, "a server's words")
        (refusal.sqlState, refusal.detail) = ("ST001", #"public.product {"sku": "tea"} is held by holder-1"#)
        let rows = { @Sendable in [EnrolledRow("product", "sku", "tea").label] }
        let waiting = RowWaiting(timeout: .seconds(30))
        let context = BranchContext(xid: xid("first"), mode: .at, initiator: "http://initiator.test")
        let isFree = Mutex(false)
        async let first: Void = waiting.untilFree(context, rows: rows) { _ in
            guard isFree.withLock({ $0 }) else { throw refusal }
        }
        try await eventually("somebody stands in line") { waiting.isAwaited(rows) }
        #expect(!waiting.isAwaited { [EnrolledRow("product", "sku", "cup").label] })
        let second = BranchContext(xid: xid("second"), mode: .at, initiator: "http://initiator.test")
        let begin = ContinuousClock.now
        try await waiting.untilFree(second, rows: rows) { _ in }
        #expect(
            ContinuousClock.now - begin >= .milliseconds(70), "nobody called it: it looked by itself, as the second")
        isFree.withLock { $0 = true }
        try await first
        #expect(!waiting.isAwaited(rows))
    }

    @Test("an enrolled row is labelled as PostgreSQL does it", .enabled(if: Testbed.postgresURL != nil))
    func labels() async throws {
        try await TransactionBed.with { bed in
            for key in ["tea", "a \"b\" \\c\\", "é/€😀", "", "'"] {
                try await bed.fill(key)
                try await bed.withdraw(1, from: key, .at, XID())
                let refusal = await #expect(throws: PostgresError.self) {
                    try await bed.database.pool.transaction { transaction in
                        transaction.add("SELECT set_config('settle.xid', 'another', true)")
                        transaction.add("UPDATE wallet SET balance = 0 WHERE name = $1", [.text(key)])
                    }
                }
                #expect(refusal?.heldRow?.row == EnrolledRow("wallet", "name", key).label)
            }
        }
    }

    @Test("who waits for another row now, or no longer, is in nobody's way; in the end nothing is remembered")
    func leaving() {
        var lines = RowLines()
        _ = lines.join(1, row: "tea", heldBy: xid("a"))
        _ = lines.join(2, row: "tea", heldBy: xid("a"))
        _ = lines.join(1, row: "cup", heldBy: xid("a"))
        #expect(lines.position(of: 2) == 0)
        let called = lines.ended([xid("a")])
        #expect(Set(called) == [1, 2])
        for (waiter, exit) in [(2, RowLines.Exit.gone), (1, .holding(xid("x1"))), (7, .gone)] {
            _ = lines.leave(waiter, exit)
        }
        #expect(lines.isEmpty)
    }

    @Test(
        "whatever PostgreSQL calls it, a held row is waited for; but a wait has an end, and other failures are none",
        arguments: ["ST001", "55P03", "57014", "40001"])
    func heldRow(state: String) async throws {
        func refusal(_ state: String) -> PostgresError {
            var error = PostgresError(.server, "a server's words")
            error.sqlState = state
            if state == "ST001" { error.detail = "product (tea) is held by holder-1" }
            return error
        }
        let context = BranchContext(xid: xid("waits"), mode: .xa, initiator: "http://initiator.test")
        let waiting = RowWaiting(timeout: .seconds(30))
        let tries = Mutex(0)
        let result = try await waiting.untilFree(context) { lockWait in
            #expect(lockWait > .zero, "PostgreSQL takes 0 for no limit at all")
            let number = tries.withLock { tries in
                tries += 1
                return tries
            }
            if number < 4 { throw refusal(state) }
            return number
        }
        #expect(result == 4)
        await #expect(throws: RowHeld.self) {
            try await RowWaiting(timeout: .milliseconds(200)).untilFree(context) { lockWait in
                #expect(lockWait > .zero)
                throw refusal(state)
            }
        }
        await #expect(throws: PostgresError.self) {
            try await waiting.untilFree(context) { _ in throw refusal("23514") }
        }
    }

    @Test("what was refused for rows that have changed meanwhile is tried again; nobody waits past the deadline")
    func changedRows() async throws {
        let waiting = RowWaiting(timeout: .seconds(30))
        let tries = Mutex(0)
        func perform() throws -> Int {
            let number = tries.withLock { tries in
                tries += 1
                return tries
            }
            if number < 3 { throw RowsChanged() }
            return number
        }
        let context = BranchContext(
            xid: xid("waits"), mode: .at, initiator: "http://initiator.test", deadline: .now + .seconds(20))
        #expect(try await waiting.untilFree(context) { _ in try perform() } == 3)
        let late = BranchContext(xid: xid("late"), mode: .at, initiator: "http://initiator.test", deadline: .now)
        let begin = ContinuousClock.now
        await #expect(throws: RowHeld.self) {
            try await waiting.untilFree(late) { _ in throw RowsChanged() }
        }
        #expect(ContinuousClock.now - begin < .seconds(10))
    }
}
