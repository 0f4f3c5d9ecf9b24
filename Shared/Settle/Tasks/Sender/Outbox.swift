import SettleCore
import Logging
public import SettlePostgres

/// Writes tasks inside business transactions and, once those are committed, hands them to this process's scheduler.
///
/// The hand-over is in memory and may fail: the row in `task` is the truth, and comes due when its lease ends.
public struct Outbox: Sendable {
    let committed: Mailbox<OutgoingTask>
    private let lease: Duration
    private let logger: Logger

    init(settings: TaskSettings, logger: Logger) {
        self.logger = logger
        committed = Mailbox(capacity: settings.handoverCapacity)
        lease = settings.lease
    }

    /// Adds one task to `transaction`.
    public func add(_ draft: TaskDraft, in transaction: borrowing PostgresTransaction) {
        add([draft], in: transaction)
    }

    /// Adds `drafts` to `transaction` with one statement: they exist if, and only if, it commits.
    ///
    /// Nothing is waited for, so the statement travels in the transaction's own round trip.
    public func add(_ drafts: [TaskDraft], in transaction: borrowing PostgresTransaction) {
        guard !drafts.isEmpty else { return }
        // Ids come back in the order of the arrays: the identity's nextval is evaluated per row of the ordered input.
        let ticket = transaction.add(
            """
            INSERT INTO task (task_type, business_key, mq_exchange, mq_routingkey, request_body, traceparent, due_time)
            SELECT t.*, now() + $7 * interval '1 millisecond'
            FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) AS t
            RETURNING id, (extract(epoch FROM create_time) * 1000)::bigint, task_type, business_key, mq_exchange,
                      mq_routingkey, request_body, attempts, traceparent, \(TaskLease.column)
            """,
            [
                .texts(drafts.map(\.route.taskType)), .texts(drafts.map(\.businessKey)),
                .texts(drafts.map(\.route.exchange)), .texts(drafts.map(\.route.routingKey)),
                .texts(drafts.map(\.requestBody)), .texts(drafts.map(\.traceParent)), .int(lease.milliseconds),
            ])
        transaction.afterCommit { [committed, logger, lease] results in
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
