import Foundation
import SettlePostgres

extension Settle {
    // MARK: Sending

    /// Says that the application sends tasks of `type`, and wants to know nothing of their answers.
    public func sends<Body, Answer>(_ type: TaskType<Body, Answer>) {
        answers(to: [type.route]) { _, _ in }
    }

    /// Says that the application sends tasks of `type`, and what follows from each answer.
    ///
    /// `follow` runs once for each task, inside the transaction that archives it: what it adds, further tasks included,
    /// happens exactly once. It must not block. It runs, too, for a task that is given up, as for one that was rejected:
    /// `SentTask.end` tells.
    public func answers<Body, Answer>(
        to type: TaskType<Body, Answer>,
        _ follow: @escaping @Sendable (borrowing Transaction, SentTask<Body>, TaskResult<Answer>) throws -> Void
    ) {
        answers(to: [type.route]) { [sender] transaction, answered in
            let decoder = JSONDecoder()
            for task in answered {
                try follow(
                    Transaction(transaction, sender), try SentTask(task, decoder), try TaskResult(task.answer, decoder))
            }
        }
    }

    /// The same for a whole batch of answers at once, to several types of task, with statements of your own.
    ///
    /// - Parameters:
    ///   - routes: the types of task that it sends.
    ///   - probe: finds out which rows of the handler's are held, by the tasks' business keys.
    ///   - handler: what follows from the answers, in the transaction that archives their tasks.
    public func answers(to routes: [TaskRoute], probe: RowProbe? = nil, batch handler: @escaping AnswerHandler) {
        registry.add { content in
            content.sent += routes
            content.receivers.append { [messageDatabase, configuration, logger] messaging in
                let listener = AnswerReceiver(
                    relay: messaging.relay, setAside: messaging.setAside, database: messageDatabase,
                    probe: probe, hook: configuration.hook, failpoints: configuration.failpoints, logger: logger,
                    handler: handler)
                return routes.map { listener.subscription(to: $0) }
            }
        }
    }

    // MARK: Receiving

    /// Receives the tasks of `type` and does each once; the library remembers which were done, and how.
    ///
    /// `perform` runs inside a transaction together with that memory. It must not block. What it throws:
    /// `TaskRefusal`, when the task will never be done, undoes what it did and is told to the sender;
    /// `UnreadableMessage` makes the message a dead letter; with any other error it is tried again, later each time.
    ///
    /// - Parameters:
    ///   - type: what is received.
    ///   - dedupKey: what two copies of one task have in common, and two tasks have not: 1 to 512 bytes. A task with a known
    ///     key and another body is a dead letter.
    ///   - perform: does the task, and answers it.
    public func receive<Body, Answer>(
        _ type: TaskType<Body, Answer>, dedupKey: @escaping @Sendable (Body) -> String,
        _ perform: @escaping @Sendable (Body, borrowing Transaction) throws -> Answer
    ) {
        keepInbox(type, dedupKey: dedupKey) { body, transaction in
            String(decoding: try JSONEncoder().encode(try perform(body, transaction)), as: UTF8.self)
        }
    }

    /// The same for a type that has nothing to answer but that it is done.
    public func receive<Body>(
        _ type: TaskType<Body, Done>, dedupKey: @escaping @Sendable (Body) -> String,
        _ perform: @escaping @Sendable (Body, borrowing Transaction) throws -> Void
    ) {
        keepInbox(type, dedupKey: dedupKey) { body, transaction in
            try perform(body, transaction)
            return nil
        }
    }

    /// Receives the tasks of `route` in batches, for speed, with a memory of your own: see `TaskApplier`, which should use
    /// `messageDatabase`.
    public func receive(_ route: TaskRoute, applier: some TaskApplier) {
        registry.add { content in
            content.received.append(route)
            content.receivers.append { [configuration, logger] messaging in
                let inbox = TaskReceiver(
                    route: route, applier: applier, publisher: messaging.publisher, dedup: messaging.dedup,
                    setAside: messaging.setAside, keys: configuration.keys, hook: configuration.hook,
                    failpoints: configuration.failpoints,
                    logger: logger)
                return [inbox.subscription()]
            }
        }
    }

    private func keepInbox<Body, Answer>(
        _ type: TaskType<Body, Answer>, dedupKey: @escaping @Sendable (Body) -> String,
        _ perform: @escaping @Sendable (Body, borrowing Transaction) throws -> String?
    ) {
        registry.add { $0.keepsInbox = true }
        receive(
            type.route,
            applier: InboxApplier(type.route.queue, database: messageDatabase, key: dedupKey) { [sender] in
                try perform($0, Transaction($1, sender))
            })
    }
}

/// A task of the application's own that was answered just now.
public struct SentTask<Body: Sendable>: Sendable {
    /// Its number in `task` and `task_his`.
    public let taskId: Int64
    /// What it was about, for people.
    public let businessKey: String
    /// What its receiver was told.
    public let body: Body
    /// The trace that it belongs to; a task that follows goes on with it.
    public let traceParent: String?
    /// Whether its receiver has answered at all: one that was given up counts as rejected.
    public let end: TaskEnd
}

extension SentTask where Body: Decodable {
    fileprivate init(_ task: AnsweredTask, _ decoder: JSONDecoder) throws {
        taskId = task.id
        businessKey = task.businessKey
        traceParent = task.traceParent
        end = task.end
        body = try decoder.decode(Body.self, from: Data(task.requestBody.utf8))
    }
}

extension TaskResult where Answer: Decodable {
    /// Throws `UnreadableMessage` for an answer that is none of its type.
    fileprivate init(_ answer: TaskAnswer, _ decoder: JSONDecoder) throws {
        switch answer {
        case .rejected(let reason): self = .rejected(reason: reason)
        case .finished: self = .finished(try Self.decode("{}", decoder))
        case .answered(let body): self = .finished(try Self.decode(body, decoder))
        }
    }

    private static func decode(_ text: String, _ decoder: JSONDecoder) throws -> Answer {
        do {
            return try decoder.decode(Answer.self, from: Data(text.utf8))
        } catch {
            throw UnreadableMessage(description: "it answers with no \(Answer.self)")
        }
    }
}
