import SettleCore
import Foundation
public import Logging
public import SettlePostgres
public import SettleRabbitMQ

/// What follows from answers, inside the transaction that archives their tasks.
///
/// It runs on the connection's thread and must not block; it may add statements and further tasks.
public typealias AnswerHandler =
    @Sendable (borrowing PostgresTransaction, [AnsweredTask]) throws -> Void

/// Takes answers in batches and archives their tasks, with all that follows, in one transaction per batch.
public final class AnswerReceiver: Sendable {
    private let relay: OutboxRelay
    private let handler: AnswerHandler
    private let setAside: SetAside
    /// Over the listener's own connections.
    private let store: TaskStore
    private let probe: RowProbe?
    private let hook: MessageHook?
    private let heldRows = HeldRows()
    private let failpoints: Failpoints
    private let logger: Logger

    /// - Parameters:
    ///   - relay: the one that sends the tasks.
    ///   - setAside: keeps answers that cannot be taken now; run by the caller.
    ///   - database: for its transactions, the one that `task` is in; it should not wait long for a lock.
    ///   - hook: stands around each batch.
    ///   - probe: finds out which rows of the handler's are held, by the tasks' business keys.
    ///   - failpoints: where to crash on demand, in tests.
    ///   - logger: gets a line for all that an operator should know.
    ///   - handler: called once per batch with the tasks that were answered for the first time.
    public init(
        relay: OutboxRelay, setAside: SetAside, database: PostgresDatabase, probe: RowProbe? = nil,
        hook: MessageHook? = nil, failpoints: Failpoints = .none, logger: Logger, handler: @escaping AnswerHandler
    ) {
        self.relay = relay
        self.setAside = setAside
        store = relay.store.over(database)
        self.probe = probe
        self.hook = hook
        self.failpoints = failpoints
        self.logger = logger
        self.handler = handler
    }

    /// A subscription to the answers of `route`.
    ///
    /// From now on the relay knows what follows where such a task is given up: what follows from its rejection.
    public func subscription(to route: TaskRoute, prefetch: UInt16 = 1000) -> Subscription {
        relay.givingUp.follow(route.taskType, handler)
        return setAside.subscription(queue: route.answerQueue, prefetch: prefetch) {
            try await self.attempt($0, of: route, isRetry: $1)
        }
    }

    /// Returns when the batch is durable, but for what is returned; throws when it must be tried again.
    func attempt(_ deliveries: [Delivery], of route: TaskRoute, isRetry: Bool) async throws -> [Leftover] {
        let decoder = JSONDecoder()
        var answers: [(index: Int, answer: Answer)] = []
        var leftovers: [Leftover] = []
        for (index, delivery) in deliveries.enumerated() {
            do {
                guard !delivery.isTooLarge else {
                    throw UnreadableMessage(description: "\(delivery.bodySize) bytes are more than an answer may have")
                }
                try relay.keys.check(delivery, as: .answer, of: route.taskType)
                answers.append((index, try Answer(delivery.body, of: route, decoder)))
            } catch let error as BadSignature {
                leftovers.append(Leftover(index: index, fate: .dead, reason: "\(error)"))
            } catch {
                leftovers.append(Leftover(index: index, fate: .dead, reason: "not an answer: \(error)"))
            }
        }
        let trace = BatchTrace.processing(
            route.answerQueue, answers.map { deliveries[$0.index] }, taskType: route.taskType
        ) { ("settle.task.status", answers[$0].answer.status.rawValue) }
        defer { trace.end() }
        let isolation = BatchIsolation<(index: Int, answer: Answer)>(
            rows: { [ByteKey(String($0.answer.id))] },
            held: { try await self.held(among: $0.compactMap { Int64($0.text) }) },
            memory: heldRows, isRetry: isRetry, logger: logger)
        let failures = try await trace.run {
            try await isolation.run(answers) { try await self.archive($0.map(\.answer), of: route) }
        }
        return leftovers + failures.map { Leftover(index: $0.item.index, fate: $0.fate, reason: $0.reason) }
    }

    /// Which tasks are held, or the rows that the handler would change for them.
    private func held(among ids: [Int64]) async throws -> Set<ByteKey> {
        var held: Set<ByteKey> = []
        var keys: [ByteKey: [ByteKey]] = [:]
        for task in try await store.held(among: ids) {
            let id = ByteKey(String(task.id))
            keys[ByteKey(task.businessKey), default: []].append(id)
            if task.isHeld { held.insert(id) }
        }
        for key in try await probe?.held(among: keys.keys.map(\.text)) ?? [] { held.formUnion(keys[key] ?? []) }
        return held
    }

    private func archive(_ answers: [Answer], of route: TaskRoute) async throws {
        guard let hook else { return try await archive(answers) }
        var isDone = false
        try await hook(MessageStep(kind: .answer, taskType: route.taskType, count: answers.count)) {
            try await archive(answers)
            isDone = true
        }
        guard isDone else { throw HookDidNothing() }
    }

    private func archive(_ answers: [Answer]) async throws {
        let rounds = answers.filter { !$0.isSurelyForeign }.rounds
        let ids = Set(answers.map(\.id))
        try failpoints.reach("finish.beforeCommit")
        let (archived, others) = try await store.database.transaction {
            [store, outbox = relay.outbox, handler] transaction in
            // A copy that waits beside its original would find the row locked by its own statement.
            let archived = try rounds.flatMap { try store.archive($0, in: transaction) }
            // Those that found nothing are repeated, as a rule, and their tasks gone.
            let open = ids.subtracting(archived.map(\.id))
            let others =
                open.isEmpty ? (live: [Int64](), givenUp: [Int64]()) : try store.live(open.sorted(), in: transaction)
            outbox.release(behind: archived, in: transaction)
            if !archived.isEmpty { try handler(transaction, archived) }
            return (archived, others)
        }
        try failpoints.reach("finish.committed")
        relay.answered(archived, of: answers.count, foreign: others.live)
        relay.givingUp.answeredLate(others.givenUp)
        for task in archived {
            switch task.answer {
            case .finished, .answered: logger.debug("task finished", metadata: task.metadata)
            case .rejected(let reason):
                logger.info("task rejected", metadata: task.metadata.merging(["reason": "\(reason)"]) { $1 })
            }
        }
    }
}

extension AnsweredTask {
    var metadata: Logger.Metadata {
        var metadata: Logger.Metadata = [
            "taskId": "\(id)", "taskType": "\(taskType)", "businessKey": "\(businessKey)",
        ]
        if let traceParent { metadata["traceparent"] = "\(traceParent)" }
        return metadata
    }
}
