import Foundation
import SettlePostgres
import SettleRabbitMQ

/// A task on its way to the broker.
package struct OutgoingTask: Sendable {
    /// What the broker gets.
    enum Form: Sendable {
        /// The task itself, which its receiver answers.
        case task
        /// What it asks for and nothing around it, under its business key, with these headers.
        case plain(headers: [String: String])  // ours
    }

    let message: TaskMessage
    var form = Form.task
    let businessKey: String
    let attempts: Int
    let traceParent: String?
    /// Until then nobody else sends it.
    let leaseEnd: ContinuousClock.Instant
    /// The same in the table, to know it by.
    let lease: TaskLease

    var id: Int64 { message.id }
    /// What its message is called.
    var messageID: String { if case .plain = form { businessKey } else { String(message.id) } }

    /// Of `task`, in the order in which `init(row:leasedAt:_:)` reads them.
    static let columns = """
        task.id, (extract(epoch FROM task.create_time) * 1000)::bigint, task.task_type, task.business_key,
        task.mq_exchange, task.mq_routingkey, task.request_body, task.attempts, task.traceparent, \(TaskLease.column)
        """
    /// How many those are: what a statement returns besides comes after them.
    static let columnCount = 10

    init(row: PostgresRow, leasedAt: ContinuousClock.Instant, _ settings: TaskSettings) throws {
        let created = try row.decode(Int64.self, at: 1)
        message = TaskMessage(
            id: try row.decode(Int64.self, at: 0), createTime: created, updateTime: created,
            taskType: try row.decode(String.self, at: 2), mqExchange: try row.decode(String.self, at: 4),
            mqRoutingkey: try row.decode(String.self, at: 5), requestBody: try row.decode(String.self, at: 6),
            status: TaskState.pending.rawValue, errormsg: nil)
        leaseEnd = leasedAt + settings.lease(of: message.taskType)
        businessKey = try row.decode(String.self, at: 3)
        attempts = try row.decode(Int.self, at: 7)
        traceParent = try row.decode(String?.self, at: 8)
        lease = TaskLease(id: message.id, due: try row.decode(Int64.self, at: 9))
    }

    /// A message that goes as it is.
    ///
    /// - Parameters:
    ///   - id: what it is known by to those who get it.
    ///   - type: for people.
    ///   - headers: as they were when it was written, a signature among them.
    package init(
        plain body: String, id: String, type: String, exchange: String, routingKey: String,
        headers: [String: String],  // ours
        attempts: Int, lease: TaskLease, leaseEnd: ContinuousClock.Instant
    ) {
        message = TaskMessage(
            id: lease.id, createTime: 0, updateTime: 0, taskType: type, mqExchange: exchange, mqRoutingkey: routingKey,
            requestBody: body)
        form = .plain(headers: headers)
        businessKey = id
        self.attempts = attempts
        traceParent = TraceHeader.checked(headers[TraceHeader.name])
        self.lease = lease
        self.leaseEnd = leaseEnd
    }

    /// - Parameter traceParent: of the span of its sending, which its receiver goes on with; nil: that of the task.
    func outbound(_ keys: MessageKeys, traceParent sending: String? = nil) throws -> OutboundMessage {
        if case .plain(var headers) = form {
            headers[TraceHeader.name] = sending ?? traceParent
            return OutboundMessage(
                exchange: message.mqExchange, routingKey: message.mqRoutingkey, messageID: businessKey,
                body: Array(message.requestBody.utf8), headers: headers)
        }
        var outbound = OutboundMessage(
            exchange: message.mqExchange, routingKey: message.mqRoutingkey, messageID: String(message.id),
            body: message.json, headers: TraceHeader.headers(sending ?? traceParent))
        keys.sign(&outbound, as: .task, of: message.taskType)
        return outbound
    }
}
