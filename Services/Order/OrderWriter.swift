import SettleCore
import Foundation
import SettlePostgres
import Settle

/// Writes orders with their items and first tasks: one transaction, in one round trip, for all that gathered.
struct OrderWriter: Sendable {
    enum Written: Sendable {
        case written
        /// Another order came with the same idempotency key.
        case keyTaken
    }

    /// What an order begins with.
    enum First: Sendable {
        case task(TaskDraft)
        /// A message that is saved already.
        case message(UUID)
    }

    typealias Entry = (order: NewOrder, first: First)

    private let batches: Batcher<Entry, Result<Written, any Error>>

    init(
        database: PostgresDatabase, outbox: Outbox, producer: MessageProducer, initiator: TransactionInitiator,
        failpoints: Failpoints
    ) {
        let insert = InsertOrders(
            database: database, outbox: outbox, producer: producer, initiator: initiator, failpoints: failpoints)
        batches = Batcher(
            limit: 64, patience: Self.patience, maxWaiting: Self.maxWaiting, maxBytes: Self.maxBytes,
            size: { $0.order.roughSize + $0.first.roughSize }, span: "write order"
        ) { await insert($0) }
    }

    /// Batches are larger one after the other; but one may have to wait for another attempt at one of its orders.
    static let patience: Duration = .milliseconds(50)
    /// About two seconds of work: an order that would wait for longer had better come again.
    static let maxWaiting = 4096
    static let maxBytes = 32 * 1024 * 1024

    /// Refuses, before anything is taken for it, an order that could not be written for the number of those that wait.
    func admit() throws {
        guard !batches.isFull else { throw BatcherFull() }
    }

    func write(_ order: NewOrder, first: First) async throws -> Written {
        try await batches.submit((order, first)).get()
    }
}

/// One batch of orders.
private struct InsertOrders: Sendable {
    let database: PostgresDatabase
    let outbox: Outbox
    let producer: MessageProducer
    let initiator: TransactionInitiator
    let failpoints: Failpoints

    /// Orders that cannot be written together are written alone: a key that is taken fails nobody else's order.
    func callAsFunction(_ orders: [OrderWriter.Entry]) async -> [Result<OrderWriter.Written, any Error>] {
        do {
            try await insert(orders)
            return orders.map { _ in .success(.written) }
        } catch {
            guard error.isWorthTryingAlone else { return orders.map { _ in .failure(error) } }
            let unknown = (error as? PostgresError).flatMap { $0.kind == .commitUnknown ? $0 : nil }
            return await eachAlone(orders, unknown: unknown)
        }
    }

    /// All at once: those that wait for a lock until their time is up must not make the others wait for them in turn.
    private func eachAlone(
        _ orders: [OrderWriter.Entry], unknown: PostgresError?
    ) async -> [Result<OrderWriter.Written, any Error>] {
        let deadline = ContinuousClock.now + .seconds(5)
        let attempts = orders.map { order in Task { await alone(order, unknown: unknown, until: deadline) } }
        var results: [Result<OrderWriter.Written, any Error>] = []
        for attempt in attempts { results.append(await attempt.value) }
        return results
    }

    /// An order whose commit may or may not have happened is written again: its primary key waits for the first
    /// attempt, should that still be running, and tells what became of it.
    ///
    /// - Parameter unknown: the error of an attempt that may have succeeded; what the caller is told if `deadline` comes
    ///   before it is known.
    private func alone(
        _ order: OrderWriter.Entry, unknown: PostgresError?, until deadline: ContinuousClock.Instant
    ) async -> Result<OrderWriter.Written, any Error> {
        var unknown = unknown
        let backoff = Backoff(initial: .milliseconds(20), cap: .milliseconds(500))
        var attempt = 0
        while true {
            attempt += 1
            do {
                try await insert([order])
                return .success(.written)
            } catch let error as PostgresError {
                if error.kind == .commitUnknown { unknown = unknown ?? error }
                if let declared = DeclaredAborted(error) { return .failure(declared) }
                // Keys are looked at in the order in which they were created, so an order never meets its own second one.
                switch error.constraint {
                case "orders_pkey" where unknown != nil: return .success(.written)
                case "orders_idempotency_key": return .success(.keyTaken)
                default: break
                }
                // A lock that is not available is the first attempt, still running.
                guard let unknown, error.isUnavailable || error.isRowHeld else { return .failure(error) }
                guard ContinuousClock.now < deadline else { return .failure(unknown) }
            } catch {
                return .failure(unknown ?? error)
            }
            do {
                try await Task.sleep(for: backoff.delay(attempt: attempt))
            } catch {
                return .failure(unknown ?? error)
            }
        }
    }

    private func insert(_ entries: [OrderWriter.Entry]) async throws {
        let orders = entries.map(\.order)
        try failpoints.reach("order.beforeCommit")
        let bytes = entries.reduce(0) { $0 + $1.order.roughSize + $1.first.roughSize }
        try await database.transaction(bytes: bytes, caller: "insert orders") {
            [outbox, producer, initiator, failpoints] transaction in
            transaction.add(
                OrderWriter.orders,
                [
                    .uuids(orders.map(\.id)), .texts(orders.map(\.userName)), .int64s(orders.map(\.total)),
                    .int64s(orders.map(\.spendPoints)), .texts(orders.map(\.mode.column)),
                    .texts(orders.map(\.transaction?.xid.rawValue)),
                    .int64s(orders.map(\.createdMilliseconds)),
                    .texts(orders.map(\.idempotencyKey)), .texts(orders.map(\.fingerprint)),
                ])
            let lines = orders.flatMap { order in order.items.map { (order.id, $0) } }
            transaction.add(
                OrderWriter.items,
                [
                    .uuids(lines.map(\.0)), .texts(lines.map(\.1.sku)), .int64s(lines.map(\.1.quantity)),
                    .int64s(lines.map(\.1.unitPrice)),
                ])
            // Before the tasks are handed over: a process that dies here has published nothing.
            transaction.afterCommit { _ in failpoints.reachCommitted("order.committed") }
            outbox.add(entries.compactMap(\.first.task), in: transaction)
            producer.done(entries.compactMap(\.first.message), in: transaction)
            try initiator.decide(orders.compactMap(\.transaction), in: transaction)
        }
    }
}

// The statements.
extension OrderWriter {
    static let orders = """
        INSERT INTO orders (id, user_name, total, spend_points, pay_money, point, mode, xid,
                            created_at, idempotency_key, request_hash)
        SELECT id, user_name, total, spend_points, total - spend_points, total - spend_points, mode, xid,
               to_timestamp(created / 1000.0), key, sha256(convert_to(fingerprint, 'UTF8'))
        FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::bigint[],
                    $8::text[], $9::text[])
            AS o (id, user_name, total, spend_points, mode, xid, created, key, fingerprint)
        """

    static let items = """
        INSERT INTO order_item (order_id, sku, quantity, unit_price)
        SELECT * FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[])
        """
}

extension OrderWriter.First {
    fileprivate var task: TaskDraft? { if case .task(let draft) = self { draft } else { nil } }
    fileprivate var message: UUID? { if case .message(let id) = self { id } else { nil } }
    fileprivate var roughSize: Int { task?.roughSize ?? 16 }
}

extension NewOrder {
    /// About how many bytes it keeps while it waits.
    fileprivate var roughSize: Int {
        items.reduce(512 + (fingerprint?.utf8.count ?? 0)) { $0 + 64 + $1.sku.utf8.count }
    }
}

extension Error {
    /// What one order brought in, or a commit of which nobody knows whether it happened.
    fileprivate var isWorthTryingAlone: Bool {
        switch self {
        case let error as PostgresError:
            error.kind == .commitUnknown || error.kind == .invalidParameter
                || (error.kind == .server && !error.isUnavailable)
        default: self is TransactionTooLate || self is TransactionEnded || self is TransactionDoomed
        }
    }
}
