import Foundation
import Postgres
import Settle
import ShopContract

/// What follows for an order from the answers to its tasks.
struct Settlement: Sendable {
    /// The next step of one order. Pure.
    enum Step: Equatable {
        /// The stock was taken: now the points.
        case addPoints
        /// All is done.
        case settle
        /// Nothing was taken, or all was given back.
        case cancel(reason: String?)
        /// The points were refused: the stock goes back.
        case restock(reason: String)

        init?(taskType: String, answer: TaskAnswer) {
            switch (taskType, answer) {
            case (ShopRoutes.deductStock.taskType, .finished): self = .addPoints
            case (ShopRoutes.deductStock.taskType, .rejected(let reason)): self = .cancel(reason: reason)
            case (ShopRoutes.addPoint.taskType, .finished): self = .settle
            case (ShopRoutes.addPoint.taskType, .rejected(let reason)): self = .restock(reason: reason)
            case (ShopRoutes.restock.taskType, _): self = .cancel(reason: nil)
            default: return nil
            }
        }
    }

    let outbox: Outbox

    /// Runs inside the transaction that archives `answered`: one statement for each kind of step in the batch.
    @Sendable
    func follow(_ transaction: borrowing PostgresTransaction, _ answered: [AnsweredTask]) throws {
        var settled: [String] = []
        var cancelled: [(id: String, reason: String?)] = []
        var earned: [AnsweredTask] = []
        var refused: [(task: AnsweredTask, reason: String)] = []
        for task in answered {
            switch Step(taskType: task.taskType, answer: task.answer) {
            case .addPoints: earned.append(task)
            case .settle: settled.append(task.businessKey)
            case .cancel(let reason): cancelled.append((task.businessKey, reason))
            case .restock(let reason): refused.append((task, reason))
            case nil: break
            }
        }
        settle(settled, in: transaction)
        cancel(cancelled, in: transaction)
        try addPoints(earned, in: transaction)
        try restock(refused, in: transaction)
    }

    private func settle(_ ids: [String], in transaction: borrowing PostgresTransaction) {
        guard !ids.isEmpty else { return }
        transaction.add(
            "UPDATE orders SET status = 'settled' WHERE id = ANY($1::uuid[]) AND status = 'placed'", [.texts(ids)])
    }

    private func cancel(_ orders: [(id: String, reason: String?)], in transaction: borrowing PostgresTransaction) {
        guard !orders.isEmpty else { return }
        transaction.add(
            """
            UPDATE orders SET status = 'cancelled', reason = coalesce(orders.reason, c.reason)
            FROM unnest($1::uuid[], $2::text[]) AS c (id, reason)
            WHERE orders.id = c.id AND orders.status IN ('placed', 'cancelling')
            """, [.texts(orders.map(\.id)), .texts(orders.map(\.reason))])
    }

    private func addPoints(_ tasks: [AnsweredTask], in transaction: borrowing PostgresTransaction) throws {
        guard !tasks.isEmpty else { return }
        let rows = try transaction.query(
            "SELECT id::text, user_name, point FROM orders WHERE id = ANY($1::uuid[])",
            [.texts(tasks.map(\.businessKey))])
        let traces = Dictionary(tasks.map { ($0.businessKey, $0.traceParent) }, uniquingKeysWith: { first, _ in first })
        outbox.add(
            try rows.map { row in
                let id = try row.decode(String.self, at: 0)
                let body = AddPoint(
                    userName: try row.decode(String.self, at: 1), orderId: id,
                    point: try row.decode(Int64.self, at: 2))
                return try TaskDraft(ShopRoutes.addPoint, businessKey: id, body: body, traceParent: traces[id] ?? nil)
            }, in: transaction)
    }

    private func restock(
        _ refused: [(task: AnsweredTask, reason: String)], in transaction: borrowing PostgresTransaction
    ) throws {
        guard !refused.isEmpty else { return }
        let ids = refused.map(\.task.businessKey)
        transaction.add(
            """
            UPDATE orders SET status = 'cancelling', reason = c.reason
            FROM unnest($1::uuid[], $2::text[]) AS c (id, reason) WHERE orders.id = c.id AND orders.status = 'placed'
            """, [.texts(ids), .texts(refused.map(\.reason))])
        // The very text that stock was told when it took the items: what goes back is what was taken.
        let rows = try transaction.query(
            """
            SELECT DISTINCT ON (business_key) business_key, request_body FROM task_his
            WHERE business_key = ANY($1::text[]) AND task_type = $2 ORDER BY business_key, id
            """, [.texts(ids), .text(ShopRoutes.deductStock.taskType)])
        let traces = Dictionary(
            refused.map { ($0.task.businessKey, $0.task.traceParent) }, uniquingKeysWith: { first, _ in first })
        outbox.add(
            try rows.map { row in
                let id = try row.decode(String.self, at: 0)
                let taken = try JSONDecoder().decode(
                    StockChange.self, from: Data(try row.decode(String.self, at: 1).utf8))
                return try TaskDraft(ShopRoutes.restock, businessKey: id, body: taken, traceParent: traces[id] ?? nil)
            }, in: transaction)
    }
}
