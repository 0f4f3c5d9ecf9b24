import SettlePostgres
import Synchronization

/// Where a purge goes along a key, round after round, deleting in small batches.
///
/// A round goes on where the one before the last had ended: what was deleted since is not read again (until vacuum comes
/// by, an index still leads to it), and a row that had to stay because it ended late gets a second look. Now and then a
/// round begins at the very start, for what had to stay for longer.
package final class PurgeWalk<Key: Sendable>: Sendable {
    /// What one batch did.
    package struct Step: Sendable {
        /// The last key that was looked at; nil when there was none.
        let last: Key?
        /// How many were looked at: fewer than a batch holds, and the round is over.
        let walked: Int
        /// How many of these were deleted.
        package let purged: Int

        package init(last: Key?, walked: Int, purged: Int) {
            self.last = last
            self.walked = walked
            self.purged = purged
        }
    }

    private struct State {
        var rounds = 0
        var beforeLast: Key?
        var last: Key?
    }

    private let state = Mutex(State())
    private let fullRoundEvery: Int

    /// - Parameter fullRoundEvery: of so many rounds, one begins at the start.
    package init(fullRoundEvery: Int = 60) {
        self.fullRoundEvery = fullRoundEvery
    }

    /// One round; returns how many rows were deleted. If it throws, the next one begins where this one began.
    ///
    /// - Parameter batch: looks at up to `batchSize` keys after the given one, in their order.
    package func round(batchSize: Int, _ batch: (Key?) async throws -> Step) async throws -> Int {
        var key = state.withLock { $0.rounds % fullRoundEvery == 0 ? nil : $0.beforeLast }
        var purged = 0
        while !Task.isCancelled {
            let step = try await batch(key)
            key = step.last ?? key
            purged += step.purged
            guard step.walked == batchSize else { break }
        }
        state.withLock { state in
            state.rounds += 1
            state.beforeLast = state.last
            state.last = key
        }
        return purged
    }
}

extension PostgresTransaction {
    /// Has the next statement go along an index: the only plan that does not depend on how big the table is, or seemed to
    /// be when the statement was planned.
    package func planAlongTheIndex() {
        add(
            """
            SELECT set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true),
                   set_config('enable_sort', 'off', true)
            """)
    }
}
