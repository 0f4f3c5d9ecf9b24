import Foundation
import SettlePostgres
import SettleRabbitMQ

/// A task on its way to the broker.
struct OutgoingTask: Sendable {
    let message: TaskMessage
    let businessKey: String
    let attempts: Int
    let traceParent: String?
    /// Until then nobody else sends it.
    let leaseEnd: ContinuousClock.Instant
    /// The same in the table, to know it by.
    let lease: TaskLease

    var id: Int64 { message.id }

    /// Of `task`, in the order in which `init(row:leaseEnd:)` reads them.
    static let columns = """
        task.id, (extract(epoch FROM task.create_time) * 1000)::bigint, task.task_type, task.business_key,
        task.mq_exchange, task.mq_routingkey, task.request_body, task.attempts, task.traceparent, \(TaskLease.column)
        """
    /// How many those are: what a statement returns besides comes after them.
    static let columnCount = 10

    init(row: PostgresRow, leaseEnd: ContinuousClock.Instant) throws {
        self.leaseEnd = leaseEnd
        let created = try row.decode(Int64.self, at: 1)
        message = TaskMessage(
            id: try row.decode(Int64.self, at: 0), createTime: created, updateTime: created,
            taskType: try row.decode(String.self, at: 2), mqExchange: try row.decode(String.self, at: 4),
            mqRoutingkey: try row.decode(String.self, at: 5), requestBody: try row.decode(String.self, at: 6),
            status: TaskState.pending.rawValue, errormsg: nil)
        businessKey = try row.decode(String.self, at: 3)
        attempts = try row.decode(Int.self, at: 7)
        traceParent = try row.decode(String?.self, at: 8)
        lease = TaskLease(id: message.id, due: try row.decode(Int64.self, at: 9))
    }

    func outbound(_ keys: MessageKeys) throws -> OutboundMessage {
        var outbound = OutboundMessage(
            exchange: message.mqExchange, routingKey: message.mqRoutingkey, messageID: String(message.id),
            body: Array(try JSONEncoder().encode(message)), headers: TraceHeader.headers(traceParent))
        keys.sign(&outbound, as: .task, of: message.taskType)
        return outbound
    }
}
