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

    /// Adds one task to `transaction`; the ticket tells whether there was one with its unique key already.
    @discardableResult
    public func add(_ draft: TaskDraft, in transaction: borrowing PostgresTransaction) -> TaskTicket {
        add([draft], in: transaction)
    }

    /// `drafts` as a statement for a transaction of another client; see `OutboxStatement`.
    public func statement(for drafts: [TaskDraft]) -> OutboxStatement {
        OutboxStatement(drafts, schema: store.schema)
    }

    /// Adds `drafts` to `transaction` with one statement: they exist if, and only if, it commits.
    ///
    /// Nothing is waited for, so the statement travels in the transaction's own round trip. Where a draft asks for a place
    /// in a line, other transactions that add to that line wait until this one ends.
    @discardableResult
    public func add(_ drafts: [TaskDraft], in transaction: borrowing PostgresTransaction) -> TaskTicket {
        guard !drafts.isEmpty else { return .none }
        guard drafts.allSatisfy(\.options.isNone) else {
            let ticket = store.insertWithOptions(drafts, in: transaction)
            if let inserted = ticket.inserted { handOver(inserted, isMarked: true, in: transaction) }
            return ticket
        }
        let inserted = store.insert(drafts, in: transaction)
        handOver(inserted, isMarked: false, in: transaction)
        return TaskTicket(drafts: drafts.map { ($0.route.taskType, nil) }, inserted: inserted, living: nil)
    }

    /// Has those sent now that waited behind tasks which `transaction` has ended just now.
    func release(behind ended: [AnsweredTask], in transaction: borrowing PostgresTransaction) {
        let lines = ended.compactMap(\.orderKey).byteKeys
        guard !lines.isEmpty else { return }
        handOver(store.release(lines.sorted().map(\.text), in: transaction), isMarked: true, in: transaction)
    }

    /// - Parameters:
    ///   - ticket: of rows that are `OutgoingTask`s.
    ///   - isMarked: whether each says, after that, whether it is to be sent now.
    private func handOver(_ ticket: PostgresTicket, isMarked: Bool, in transaction: borrowing PostgresTransaction) {
        transaction.afterCommit { [committed, logger, settings = store.settings] results in
            let now = ContinuousClock.now
            do {
                let rows = try results.rows(of: ticket).filter {
                    try !isMarked || $0.decode(Bool.self, at: OutgoingTask.columnCount)
                }
                committed.offer(contentsOf: try rows.map { try OutgoingTask(row: $0, leasedAt: now, settings) })
            } catch {
                logger.error(
                    "committed tasks could not be handed over; they are due later", metadata: ["error": "\(error)"])
            }
        }
    }
}
