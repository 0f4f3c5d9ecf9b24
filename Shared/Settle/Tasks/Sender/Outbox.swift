import SettleCore
import Logging
public import SettlePostgres

/// Writes tasks inside business transactions and, once those are committed, hands them to this process's relay.
///
/// The hand-over is in memory and may fail: the row in `task` is the truth, and comes due when its lease ends.
public struct Outbox: Sendable {
    let committed: Mailbox<OutgoingTask>
    private let store: TaskStore
    private let logger: Logger

    init(store: TaskStore, logger: Logger) {
        self.store = store
        self.logger = logger
        committed = Mailbox(capacity: store.settings.handoverCapacity)
    }

    /// Adds one task to `transaction`.
    public func add(_ draft: TaskDraft, in transaction: borrowing PostgresTransaction) {
        add([draft], in: transaction)
    }

    /// `drafts` as a statement for a transaction of another client; see `OutboxStatement`.
    public func statement(for drafts: [TaskDraft]) -> OutboxStatement {
        OutboxStatement(drafts, schema: store.schema)
    }

    /// Adds `drafts` to `transaction` with one statement: they exist if, and only if, it commits.
    ///
    /// Nothing is waited for, so the statement travels in the transaction's own round trip.
    public func add(_ drafts: [TaskDraft], in transaction: borrowing PostgresTransaction) {
        guard !drafts.isEmpty else { return }
        let ticket = store.insert(drafts, in: transaction)
        transaction.afterCommit { [committed, logger, lease = store.settings.lease] results in
            let leaseEnd = ContinuousClock.now + lease
            do {
                committed.offer(
                    contentsOf: try results.rows(of: ticket).map { try OutgoingTask(row: $0, leaseEnd: leaseEnd) })
            } catch {
                logger.error(
                    "committed tasks could not be handed over; they are due later", metadata: ["error": "\(error)"])
            }
        }
    }
}
