import Foundation
import SettlePostgres
import Settle
import ShopContract

/// Writes what ``OrderFlow`` says that follows from the answers to tasks, and from what consumers said of messages.
struct Settlement: Sendable {
    /// A task or a message of an order, and what was said of it.
    struct Answered: Sendable {
        let taskType: String
        let businessKey: String
        let answer: TaskAnswer
        let traceParent: String?
        var end = TaskEnd.answered
    }

    /// How the next tasks of orders are sent: as the ones before them were.
    enum Sending {
        case tasks(Outbox)
        case messages(MessageSender)
    }

    let sending: Sending

    /// Runs inside the transaction that archives `answered`: one statement for each kind of step in the batch.
    func follow(_ transaction: borrowing PostgresTransaction, _ answered: [Answered]) throws {
        var settled: [String] = []
        var cancelled: [(id: String, reason: String?)] = []
        var earned: [Answered] = []
        var refused: [(task: Answered, reason: String)] = []
        var restocked: [Answered] = []
        for task in answered {
            // Of no type of ours: another sender's, which the listener has told from ours before.
            guard let answeredTask = OrderFlow.Task(taskType: task.taskType) else { continue }
            switch OrderFlow.next(after: answeredTask, task.answer, end: task.end) {
            case .addPoints: earned.append(task)
            case .settle: settled.append(task.businessKey)
            case .cancel(let reason): cancelled.append((task.businessKey, reason))
            case .restock(let reason): refused.append((task, reason))
            case .giveBackPoints: restocked.append(task)
            }
        }
        settle(settled, in: transaction)
        cancel(cancelled, in: transaction)
        try addPoints(earned, in: transaction)
        try restock(refused, in: transaction)
        try refund(restocked, in: transaction)
    }

    private func settle(_ ids: [String], in transaction: borrowing PostgresTransaction) {
        guard !ids.isEmpty else { return }
        transaction.add(Self.settle, [.texts(ids)])
    }

    private func cancel(_ orders: [(id: String, reason: String?)], in transaction: borrowing PostgresTransaction) {
        guard !orders.isEmpty else { return }
        transaction.add(
            Self.cancel, [.texts(orders.map(\.id)), .texts(orders.map(\.reason))])
    }

    private func addPoints(_ tasks: [Answered], in transaction: borrowing PostgresTransaction) throws {
        guard !tasks.isEmpty else { return }
        let rows = try transaction.query(
            Self.earned, [.texts(tasks.map(\.businessKey))])
        let traces = tasks.traces
        try send(
            .addPoint,
            try rows.map { row in
                let id = try row.decode(String.self, at: 0)
                let body = AddPoint(
                    userName: try row.decode(String.self, at: 1), orderId: id,
                    point: try row.decode(Int64.self, at: 2))
                return (id, body, traces[id] ?? nil)
            }, in: transaction)
    }

    private func restock(
        _ refused: [(task: Answered, reason: String)], in transaction: borrowing PostgresTransaction
    ) throws {
        guard !refused.isEmpty else { return }
        let ids = refused.map(\.task.businessKey)
        transaction.add(
            Self.cancelling, [.texts(ids), .texts(refused.map(\.reason))])
        let rows = try transaction.query(
            Self.taken, [.texts(ids)])
        let traces = refused.map(\.task).traces
        try send(
            .restock,
            try rows.map { row in
                let id = try row.decode(String.self, at: 0)
                let items = try JSONDecoder().decode(
                    [StockItem].self, from: Data(try row.decode(String.self, at: 2).utf8))
                let taken = StockChange(orderId: id, items: items, xid: try row.decode(String?.self, at: 1))
                return (id, taken, traces[id] ?? nil)
            }, in: transaction)
    }

    /// Orders that spent points get them back; the others are cancelled now.
    private func refund(_ tasks: [Answered], in transaction: borrowing PostgresTransaction) throws {
        guard !tasks.isEmpty else { return }
        let rows = try transaction.query(
            Self.spent, [.texts(tasks.map(\.businessKey))])
        let traces = tasks.traces
        var spent: Set<String> = []  // ours
        try send(
            .refundPoint,
            try rows.map { row in
                let id = try row.decode(String.self, at: 0)
                spent.insert(id)
                let body = AddPoint(
                    userName: try row.decode(String.self, at: 1), orderId: id,
                    point: try row.decode(Int64.self, at: 2))
                return (id, body, traces[id] ?? nil)
            }, in: transaction)
        cancel(tasks.map(\.businessKey).filter { !spent.contains($0) }.map { ($0, nil) }, in: transaction)
    }
}

extension Settlement {
    private func send(
        _ task: OrderFlow.Task, _ orders: [(id: String, body: some Encodable, traceParent: String?)],
        in transaction: borrowing PostgresTransaction
    ) throws {
        switch sending {
        case .tasks(let outbox):
            outbox.add(
                try orders.map {
                    try TaskDraft(task.route, businessKey: $0.id, body: $0.body, traceParent: $0.traceParent)
                }, in: transaction)
        case .messages(let sender):
            guard let route = task.messageRoute else { return }
            sender.add(
                try orders.map {
                    try MessageDraft(route, businessKey: $0.id, body: $0.body, traceParent: $0.traceParent)
                }, in: transaction)
        }
    }
}

extension Settlement.Answered {
    init(_ task: AnsweredTask) {
        self.init(
            taskType: task.taskType, businessKey: task.businessKey, answer: task.answer, traceParent: task.traceParent,
            end: task.end)
    }

    init(_ message: SettledMessage) {
        self.init(
            taskType: message.type, businessKey: message.businessKey, answer: message.answer,
            traceParent: message.traceParent)
    }
}

// The statements: `$1` orders, `$2` why. The reason gets to its order by a map: a join would compare each order with each.
extension Settlement {
    private static let reason = "(SELECT jsonb_object($1::uuid[]::text[], $2::text[])) ->> id::text"

    static let settle = "UPDATE orders SET status = 'settled' WHERE id = ANY ($1::uuid[]) AND status = 'placed'"

    static let cancel = """
        UPDATE orders SET status = 'cancelled', reason = coalesce(reason, \(reason))
        WHERE id = ANY ($1::uuid[]) AND status IN ('placed', 'cancelling')
        """

    static let cancelling = """
        UPDATE orders SET status = 'cancelling', reason = \(reason) WHERE id = ANY ($1::uuid[]) AND status = 'placed'
        """

    // Of orders that are under way: for one that is over, an answer comes to a task that reconciliation has sent again.
    static let earned = """
        SELECT id::text, user_name, point FROM orders WHERE id = ANY ($1::uuid[]) AND status = 'placed'
        """

    static let taken = """
        SELECT id::text, xid, (SELECT json_agg(json_build_object('sku', sku, 'quantity', quantity))
                               FROM order_item WHERE order_id = orders.id)
        FROM orders WHERE id = ANY ($1::uuid[]) AND status = 'cancelling'
        """

    static let spent = """
        SELECT id::text, user_name, spend_points FROM orders
        WHERE id = ANY ($1::uuid[]) AND status = 'cancelling' AND spend_points > 0
        """
}

extension [Settlement.Answered] {
    /// The trace of each by its business key; the next task goes on with it.
    fileprivate var traces: [String: String?] {  // ours
        Dictionary(map { ($0.businessKey, $0.traceParent) }, uniquingKeysWith: { first, _ in first })
    }
}
