import Foundation
public import Logging
public import Postgres
public import RabbitMQ

/// What follows from answers, inside the transaction that archives their tasks.
///
/// It runs on the connection's thread and must not block; it may add statements and further tasks.
public typealias AnswerHandler =
    @Sendable (borrowing PostgresTransaction, [AnsweredTask]) throws -> Void

/// Takes answers in batches and archives their tasks, with all that follows, in one transaction per batch.
public final class FinishListener: Sendable {
    private let scheduler: TaskScheduler
    private let handler: AnswerHandler
    private let deadLetters: DeadLetters
    private let faults: Faults
    private let logger: Logger

    /// - Parameters:
    ///   - scheduler: the one that sends the tasks.
    ///   - handler: called once per batch with the tasks that were answered for the first time.
    public init(
        scheduler: TaskScheduler, deadLetters: DeadLetters, faults: Faults = .none, logger: Logger,
        handler: @escaping AnswerHandler
    ) {
        self.scheduler = scheduler
        self.deadLetters = deadLetters
        self.faults = faults
        self.logger = logger
        self.handler = handler
    }

    /// A subscription to the answers of `route`.
    public func subscription(to route: TaskRoute, prefetch: UInt16 = 1000) -> Subscription {
        Subscription(queue: route.answerQueue, prefetch: prefetch) { try await self.handle($0) }
    }

    /// Returns when the batch is durable, so that it may be acknowledged; throws when it must be tried again.
    func handle(_ deliveries: [Delivery]) async throws {
        let decoder = JSONDecoder()
        var answers: [(delivery: Delivery, answer: Answer)] = []
        var poison: [DeadLetter] = []
        for delivery in deliveries {
            do {
                guard !delivery.isTooLarge else {
                    throw UnreadableMessage(description: "\(delivery.bodySize) bytes are more than an answer may have")
                }
                answers.append((delivery, try Answer(delivery.body, decoder)))
            } catch {
                poison.append(DeadLetter(delivery, reason: "not an answer: \(error)"))
            }
        }
        try await isolatingFailures(of: answers, logger: logger) {
            try await self.archive($0.map(\.answer))
        } onPoison: {
            poison.append(DeadLetter($0.delivery, reason: $1))
        }
        try await deadLetters.send(poison)
    }

    private func archive(_ answers: [Answer]) async throws {
        // A copy that waits beside its original would find the row locked by its own statement.
        let unique = Dictionary(answers.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        try faults.reach("finish.beforeCommit")
        let archived = try await scheduler.store.database.transaction { [scheduler, handler] transaction in
            let archived = try scheduler.store.archive(Array(unique.values), in: transaction)
            if !archived.isEmpty { try handler(transaction, archived) }
            return archived
        }
        try faults.reach("finish.committed")
        scheduler.answered(archived, of: answers.count)
        for task in archived {
            switch task.answer {
            case .finished: logger.debug("task finished", metadata: task.metadata)
            case .rejected(let reason):
                logger.info("task rejected", metadata: task.metadata.merging(["reason": "\(reason)"]) { $1 })
            }
        }
    }
}

extension Answer {
    fileprivate init(_ body: [UInt8], _ decoder: JSONDecoder) throws {
        let message = try decoder.decode(AnswerMessage.self, from: Data(body))
        guard let answer = message.answer else {
            throw UnreadableMessage(description: "status '\(message.status ?? "")' is no answer")
        }
        id = message.id
        taskType = message.taskType
        switch answer {
        case .finished: (status, errormsg) = (.finished, nil)
        case .rejected(let reason): (status, errormsg) = (.rejected, reason)
        }
    }
}

extension AnsweredTask {
    fileprivate var metadata: Logger.Metadata {
        var metadata: Logger.Metadata = [
            "taskId": "\(id)", "taskType": "\(taskType)", "businessKey": "\(businessKey)",
        ]
        if let traceParent { metadata["traceparent"] = "\(traceParent)" }
        return metadata
    }
}
