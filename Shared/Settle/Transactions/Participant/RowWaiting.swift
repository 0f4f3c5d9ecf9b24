import SettleCore
public import SettlePostgres
import Synchronization

/// Has requests come again when the row that they need may be free, up to the lock timeout. No connection is held while
/// they wait.
final class RowWaiting: Sendable {
    private struct State {
        var lines = RowLines()
        var waiters: [Int: Wakeup] = [:]
        var last = 0
    }

    private let state = Mutex(State())
    /// Where PostgreSQL itself is in the way it names nobody: a row that a prepared transaction holds is waited for in
    /// its own queue. But only a few may, or they would keep all connections from requests that need other rows.
    private let patient = Slots(3)
    /// Before that a request looks a few times, shortly: most rows are free again in a moment, and then it need not stand
    /// in line with those who want a hot one.
    private static let glances = 3
    private static let glance = Duration.milliseconds(2)
    private let timeout: Duration

    init(timeout: Duration) {
        self.timeout = timeout
    }

    /// Branches have ended here, and given their rows free.
    func ended(_ xids: some Sequence<XID>) {
        let called = state.withLock { state in state.lines.ended(xids).compactMap { state.waiters[$0] } }
        for wakeup in called { wakeup.call() }
    }

    /// Whether anybody stands in line for a row.
    var hasWaiters: Bool { state.withLock { !$0.lines.isEmpty } }

    /// Does `perform` once, without standing in line.
    ///
    /// - Throws: `RowHeld` when a row is held.
    func once<Result>(_ perform: (Duration) async throws -> Result) async throws -> Result {
        do {
            // A commit on its way is waited for; that takes no longer.
            return try await perform(.milliseconds(20))
        } catch  where error.isWorthWaiting {
            throw RowHeld()
        }
    }

    /// Whether others stand in line for one of `rows`.
    func isAwaited(_ rows: () -> [String]) -> Bool {
        guard hasWaiters else { return false }
        let rows = rows()
        return state.withLock { state in rows.contains { state.lines.isAwaited($0) } }
    }

    /// Does `perform`, again and again while rows are held. It is told how long it may wait for a row with a connection in
    /// hand.
    ///
    /// - Parameter rows: the labels of enrolled rows that it will need, as far as they are known: where others stand in
    ///   line for one of them it does not try in vain, nor before those.
    /// - Throws: `RowHeld` at the timeout.
    func untilFree<Result>(
        _ context: BranchContext, rows: () -> [String] = { [] }, _ perform: (Duration) async throws -> Result
    ) async throws -> Result {
        // Rows of prepared transactions are held for long; what else holds a row in PostgreSQL is a commit on its way.
        let firstWait = Duration.milliseconds(context.mode == .xa ? 5 : 100)
        // Nobody waits for the answer once the transaction's time is up.
        let deadline = ContinuousClock.now + min(timeout, context.timeLeft(standard: timeout))
        let wakeup = Wakeup()
        let me = state.withLock { state in
            state.last += 1
            state.waiters[state.last] = wakeup
            return state.last
        }
        var exit = RowLines.Exit.gone
        defer {
            let next = state.withLock { state in
                state.waiters[me] = nil
                return state.lines.leave(me, exit).flatMap { state.waiters[$0] }
            }
            next?.call()
        }
        if hasWaiters {
            let rows = rows()
            let position = state.withLock { state in
                state.lines.queue(me, forAnyOf: rows) ? state.lines.position(of: me) : nil
            }
            if let position { await wakeup.wait(atMost: min(Self.pause(at: position), deadline - .now)) }
        }
        var glances = 0
        while true {
            do {
                let result =
                    if glances <= Self.glances {
                        try await perform(glances == 0 ? firstWait : Self.glance)
                    } else {
                        try await patient.use(within: deadline - .now) { hasSlot in
                            try await perform(max(Self.glance, hasSlot ? min(.seconds(1), deadline - .now) : .zero))
                        }
                    }
                // In `tcc` and `saga` the row is free as soon as the local transaction is over.
                exit = context.mode.holdsRows ? .holding(context.xid) : .done
                return result
            } catch  where error.isWorthWaiting {
                let left = deadline - ContinuousClock.now
                guard left > .zero else { throw RowHeld() }
                if let (row, holder) = (error as? PostgresError)?.heldRow {
                    let (position, next) = state.withLock { state in
                        let next = state.lines.join(me, row: row, heldBy: holder).flatMap { state.waiters[$0] }
                        return (state.lines.position(of: me), next)
                    }
                    next?.call()
                    await wakeup.wait(atMost: min(Self.pause(at: position), left))
                } else {
                    glances += 1
                    // Where a lock timeout ends a wait, that was the pause.
                    if glances <= Self.glances || (error as? PostgresError)?.isLockTimeout != true {
                        let pause = Duration.milliseconds(5 << min(glances, Self.glances)) * Double.random(in: 0.5...1)
                        try await Task.sleep(for: min(pause, left))
                    }
                }
                try Task.checkCancellation()
            }
        }
    }
}

// How long who stands in line does so before looking without having been called.
extension RowWaiting {
    private static func pause(at position: Int) -> Duration {
        .milliseconds(min(500, 50 * (position + 1))) * Double.random(in: 0.75...1)
    }
}

/// A row that a request needs was held until the lock timeout.
struct RowHeld: Error {}

extension Error {
    /// Whether the same request may succeed when others have ended.
    var isWorthWaiting: Bool {
        switch self {
        case let error as PostgresError: error.isRowHeld || error.isSerializationConflict
        default: self is RowsChanged
        }
    }
}

extension PostgresError {
    /// A row is held by another undecided global transaction (`ST001`, raised by the guard of an enrolled table) or by a
    /// prepared one (a lock timeout).
    public var isRowHeld: Bool { sqlState == "ST001" || isLockTimeout }

    /// Which row, and by whom, where the guard says it (`settle.at_refuse`).
    var heldRow: (row: String, holder: XID)? {
        guard sqlState == "ST001", let detail else { return nil }
        let parts = detail.split(separator: " is held by ")
        guard parts.count == 2, let holder = XID(rawValue: String(parts[1])) else { return nil }
        return (String(parts[0]), holder)
    }
}
