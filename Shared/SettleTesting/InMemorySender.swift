public import Foundation
public import Settle
import SettleCore
import SettleRabbitMQ
import Synchronization

/// A sender in memory: it sends its tasks until each is answered, takes each answer once, and does what follows.
public final class InMemorySender: InMemoryParty {
    private struct Outgoing {
        let draft: TaskDraft
        var attempts = 0
        var isParked = false
    }

    private struct State {
        var tasks: [Int64: Outgoing] = [:]
        var archive: [AnsweredTask] = []
        var lastID: Int64 = 0
        var now = Date(timeIntervalSince1970: Double(InMemorySender.createTime) / 1000)

        /// The task that is the only one of its kind, if there is one.
        func living(_ draft: TaskDraft) -> Int64? {
            guard let key = draft.options.uniqueKey.map(ByteKey.init) else { return nil }
            return tasks.first { _, task in
                task.draft.route.taskType == draft.route.taskType
                    && task.draft.options.uniqueKey.map(ByteKey.init) == key
            }?.key
        }

        /// Whether no other of its line comes before it.
        func isFirst(_ id: Int64, _ draft: TaskDraft) -> Bool {
            guard let line = draft.options.orderKey.map(ByteKey.init) else { return true }
            return !tasks.contains { other, task in
                other < id && task.draft.options.orderKey.map(ByteKey.init) == line
            }
        }
    }

    private let state = Mutex(State())
    private let broker: InMemoryBroker
    private let maxAttempts: Int
    private let failpoints: Failpoints
    private let answered: @Sendable (AnsweredTask) throws -> [TaskDraft]
    /// All tasks are written at one moment.
    private static let createTime: Int64 = 1_700_000_000_000

    /// - Parameters:
    ///   - routes: what it sends.
    ///   - broker: carries its messages.
    ///   - maxAttempts: how often a task is sent before it is parked.
    ///   - failpoints: `finish.beforeCommit` and `finish.committed`, as of the real one.
    ///   - answered: called once for each task, with its first answer; the tasks that follow. When it throws, nothing is
    ///     archived, and the answer comes again.
    public init(
        _ routes: [TaskRoute], broker: InMemoryBroker, maxAttempts: Int = TaskSettings().maxAttempts,
        failpoints: Failpoints = .none,
        answered: @escaping @Sendable (AnsweredTask) throws -> [TaskDraft] = { _ in [] }
    ) {
        self.broker = broker
        self.maxAttempts = maxAttempts
        self.failpoints = failpoints
        self.answered = answered
        broker.declare(.tasks(routes, deadLetters: Self.deadLetters))
        broker.join(self)
        for route in routes {
            broker.subscribe(
                Subscription(queue: route.answerQueue) { try await self.archive($0, of: route) })
        }
    }

    static let deadLetters = DeadLetterRoute(exchange: "in-memory-dead", queue: "in-memory-dead")

    /// Those that were answered, in that order.
    public var archive: [AnsweredTask] { state.withLock { $0.archive } }
    /// The ids of those that are not answered, parked ones among them.
    public var unanswered: [Int64] { state.withLock { $0.tasks.keys.sorted() } }

    /// Its clock, which stands still but for ``advance(by:)``: what `notBefore` and `expiresAt` are held against.
    public var now: Date { state.withLock { $0.now } }

    /// Moves its clock. ``InMemoryBroker/run()`` then sends what has come due, and gives up what has expired.
    public func advance(by time: Duration) {
        state.withLock { $0.now += time / .seconds(1) }
    }

    /// As a transaction that was committed with these tasks in it; their ids, or that of the one that lives with the same
    /// unique key. ``InMemoryBroker/run()`` sends them.
    @discardableResult
    public func send(_ drafts: TaskDraft...) -> [Int64] { send(drafts) }

    private func send(_ drafts: [TaskDraft]) -> [Int64] {
        state.withLock { state in
            drafts.map { draft in
                if let id = state.living(draft) { return id }
                state.lastID += 1
                state.tasks[state.lastID] = Outgoing(draft: draft)
                return state.lastID
            }
        }
    }

    /// Sends all that are not answered yet, and whose turn it is. A parked one stays so.
    func letTimePass() async throws -> Bool {
        let hasExpired = try expire()
        guard broker.takesMessages else { return hasExpired }
        let (due, parked) = state.withLock { state in
            var due: [(Int64, TaskDraft)] = []
            var parked: [Int64] = []
            for (id, task) in state.tasks.sorted(by: { $0.key < $1.key })
            where !task.isParked && task.draft.options.notBefore ?? state.now <= state.now
                && state.isFirst(id, task.draft)
            {
                if task.attempts < maxAttempts {
                    state.tasks[id]?.attempts += 1
                    due.append((id, task.draft))
                } else {
                    state.tasks[id]?.isParked = true
                    parked.append(id)
                }
            }
            return (due, parked)
        }
        for id in parked { broker.note(.parked(id)) }
        for (id, _) in due { broker.note(.sent(id)) }
        _ = await broker.publish(try due.map { try message($0.0, $0.1) })
        return hasExpired || !due.isEmpty || !parked.isEmpty
    }

    /// Gives up what nobody has answered in time; whether there was any.
    private func expire() throws -> Bool {
        let over = state.withLock { state in
            state.tasks.filter { $1.draft.options.expiresAt.map { $0 <= state.now } ?? false }
                .filter { !($1.isParked && $1.draft.options.onExpiry == .park) }.sorted { $0.key < $1.key }
        }
        for (id, task) in over {
            switch task.draft.options.onExpiry {
            case .park:
                state.withLock { $0.tasks[id]?.isParked = true }
                broker.note(.parked(id))
            case .drop:
                let reason = "expired after \(task.attempts) attempts"
                try archive(id, task.draft, .rejected(reason: reason), end: .expired)
            }
        }
        return !over.isEmpty
    }

    private func message(_ id: Int64, _ draft: TaskDraft) throws -> OutboundMessage {
        let task = TaskMessage(
            id: id, createTime: Self.createTime, updateTime: Self.createTime, taskType: draft.route.taskType,
            mqExchange: draft.route.exchange, mqRoutingkey: draft.route.routingKey, requestBody: draft.requestBody,
            status: TaskState.pending.rawValue, errormsg: nil)
        return OutboundMessage(
            exchange: draft.route.exchange, routingKey: draft.route.routingKey, messageID: String(id),
            body: task.json, headers: TraceHeader.headers(draft.traceParent))
    }

    private func archive(_ deliveries: [Delivery], of route: TaskRoute) async throws {
        try failpoints.reach("finish.beforeCommit")
        for delivery in deliveries {
            let answer: Answer
            do {
                answer = try Answer(delivery.body, of: route, JSONDecoder())
            } catch {
                broker.note(.deadLetter(delivery.taskID, reason: "not an answer: \(error)"))
                continue
            }
            try take(answer)
        }
        try failpoints.reach("finish.committed")
    }

    /// An answer to a task that is gone, or to another one with its id, does nothing.
    private func take(_ answer: Answer) throws {
        guard answer.isInPlace, let draft = state.withLock({ $0.tasks[answer.id]?.draft }),
            draft.route.taskType == answer.taskType, answer.requestBody ?? draft.requestBody == draft.requestBody,
            answer.createTime ?? Self.createTime == Self.createTime
        else { return }
        let word: TaskAnswer =
            answer.status == .rejected
            ? .rejected(reason: answer.errormsg ?? "rejected without a reason")
            : answer.body.map { .answered(body: $0) } ?? .finished
        try archive(answer.id, draft, word, end: .answered)
    }

    private func archive(_ id: Int64, _ draft: TaskDraft, _ word: TaskAnswer, end: TaskEnd) throws {
        let task = AnsweredTask(
            id: id, taskType: draft.route.taskType, businessKey: draft.businessKey,
            requestBody: draft.requestBody, answer: word, traceParent: draft.traceParent, end: end)
        let following = try answered(task)
        state.withLock { state in
            state.tasks[id] = nil
            state.archive.append(task)
        }
        broker.note(.archived(id, word))
        _ = send(following)
    }
}
