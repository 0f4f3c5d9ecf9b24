import Foundation
public import Settle
import SettleCore
import SettleRabbitMQ
import Synchronization

/// A receiver in memory, around a real applier: in the same order as the real one it applies, then answers, and only then
/// are deliveries acknowledged. What dies in between comes again.
///
/// Failpoints `inbox.beforeCommit`, `inbox.committed` and `inbox.answered` stand for a crash there:
/// `try Failpoints("inbox.committed=throw@1")` has the receiver die once after it applied a batch, before it answered.
public final class InMemoryReceiver<Applier: TaskApplier>: InMemoryParty {
    private typealias Item = (place: Int, task: ReceivedTask<Applier.Body>)

    private struct Waiting {
        let delivery: Delivery
        var failures: Int
    }

    private let route: TaskRoute
    private let applier: Applier
    private let broker: InMemoryBroker
    private let failpoints: Failpoints
    private let maxFailures: Int
    private let waiting = Mutex<[Waiting]>([])
    private let dead = Mutex<[(delivery: Delivery, reason: String)]>([])

    /// - Parameters:
    ///   - route: which tasks it receives.
    ///   - applier: does them.
    ///   - broker: carries its messages.
    ///   - failpoints: `inbox.beforeCommit`, `inbox.committed` and `inbox.answered`, as of the real one.
    ///   - maxFailures: how often a task is tried that fails for an unknown reason; then it is a dead letter.
    @discardableResult
    public init(
        _ route: TaskRoute, applier: Applier, broker: InMemoryBroker, failpoints: Failpoints = .none,
        maxFailures: Int = SetAsideSettings().maxFailures
    ) {
        self.route = route
        self.applier = applier
        self.broker = broker
        self.failpoints = failpoints
        self.maxFailures = maxFailures
        broker.declare(.tasks([route], deadLetters: InMemorySender.deadLetters))
        broker.join(self)
        broker.subscribe(Subscription(queue: route.queue) { try await self.receive($0) }, takesTasks: true)
    }

    /// The reasons of those that nobody can make sense of.
    public var deadLetters: [String] { dead.withLock { $0.map(\.reason) } }

    private func receive(_ deliveries: [Delivery]) async throws {
        for (place, error) in try await attempt(deliveries) { keep(deliveries[place], error, failures: 0) }
    }

    /// Tries what was set aside.
    func letTimePass() async throws -> Bool {
        let tried = waiting.withLock { waiting in
            defer { waiting = [] }
            return waiting
        }
        do {
            for (place, error) in try await attempt(tried.map(\.delivery)) {
                keep(tried[place].delivery, error, failures: tried[place].failures)
            }
        } catch {
            // It died with them in hand; they are durable.
            waiting.withLock { $0 += tried }
            throw error
        }
        return !tried.isEmpty
    }

    private func keep(_ delivery: Delivery, _ error: any Error, failures: Int) {
        let tries = failures + 1
        let reason: String? =
            switch error {
            case let dead as DeadTask: dead.reason
            default:
                switch Blame(error) {
                case .content(let reason): reason
                case .unknown(let reason) where tries >= maxFailures: reason
                case .heldRow where tries >= Self.maxHeld: "its time is up: a row that it needs is held"
                case .nobody, .heldRow, .unknown: nil
                }
            }
        guard let reason else {
            waiting.withLock { $0.append(Waiting(delivery: delivery, failures: tries)) }
            return broker.note(.setAside(delivery.taskID))
        }
        dead.withLock { $0.append((delivery, reason)) }
        broker.note(.deadLetter(delivery.taskID, reason: reason))
    }

    /// How often a task is tried whose row is held: for what would be a day.
    private static var maxHeld: Int { 100 }

    /// Applies and answers what it can; what it cannot, by place. Throws when the whole batch must come again.
    private func attempt(_ deliveries: [Delivery]) async throws -> [(Int, any Error)] {
        var failures: [(Int, any Error)] = []
        var items: [Item] = []
        for (place, delivery) in deliveries.enumerated() {
            do {
                let task = try read(delivery)
                // Copies of one message within the batch count as one.
                guard !items.contains(where: { $0.task.message.isCopy(of: task.message) }) else { continue }
                items.append((place, task))
            } catch {
                failures.append((place, DeadTask(reason: "unreadable: \(error)")))
            }
        }
        var answers: [(ReceivedTask<Applier.Body>, TaskAnswer)] = []
        for round in rounds(of: items) {
            let (outcomes, failed) = try await apply(round)
            failures += failed
            for (item, outcome) in outcomes {
                broker.note(.decided(item.task.message.id, outcome))
                if let answer = outcome.answer { answers.append((item.task, answer)) }
                if case .conflict(let reason) = outcome {
                    failures.append((item.place, DeadTask(reason: reason)))
                }
            }
        }
        try await answer(answers)
        try failpoints.reach("inbox.answered")
        return failures
    }

    private func read(_ delivery: Delivery) throws -> ReceivedTask<Applier.Body> {
        guard delivery.bodySize <= 1 << 20 else {
            throw UnreadableMessage(description: "\(delivery.bodySize) bytes are more than a task may have")
        }
        let message = try TaskMessage(json: delivery.body, JSONDecoder())
        guard message.taskType == route.taskType else {
            throw UnreadableMessage(description: "taskType '\(message.taskType)' is not '\(route.taskType)'")
        }
        let body = try JSONDecoder().decode(Applier.Body.self, from: Data(message.requestBody.utf8))
        try applier.check(body)
        return ReceivedTask(message: message, body: body)
    }

    /// No two tasks of a round have the same key.
    private func rounds(of items: [Item]) -> [[Item]] {
        var rounds: [[Item]] = []
        var occurrences: [ByteKey: Int] = [:]
        for item in items {
            let round = occurrences[ByteKey(applier.dedupKey(of: item.task.body)), default: 0]
            occurrences[ByteKey(applier.dedupKey(of: item.task.body))] = round + 1
            if round == rounds.count { rounds.append([]) }
            rounds[round].append(item)
        }
        return rounds
    }

    /// All at once, and if that fails one by one.
    private func apply(_ items: [Item]) async throws -> (done: [(Item, TaskOutcome)], failed: [(Int, any Error)]) {
        do {
            return (try await applyAll(items), [])
        } catch  where Blame(error) != .nobody {
            guard items.count > 1 else { return ([], [(items[0].place, error)]) }
        }
        var done: [(Item, TaskOutcome)] = []
        var failed: [(Int, any Error)] = []
        for item in items {
            do {
                done += try await applyAll([item])
            } catch  where Blame(error) != .nobody {
                failed.append((item.place, error))
            }
        }
        return (done, failed)
    }

    private func applyAll(_ items: [Item]) async throws -> [(Item, TaskOutcome)] {
        try failpoints.reach("inbox.beforeCommit")
        let outcomes = try await applier.apply(items.map(\.task))
        try failpoints.reach("inbox.committed")
        return Array(zip(items, outcomes))
    }

    private func answer(_ answers: [(task: ReceivedTask<Applier.Body>, answer: TaskAnswer)]) async throws {
        let messages = answers.map { task, answer in
            OutboundMessage(
                exchange: route.exchange, routingKey: route.answerRoutingKey, messageID: String(task.message.id),
                body: task.message.answered(answer, at: task.message.updateTime).json)
        }
        guard await broker.publish(messages).allSatisfy({ $0 == .confirmed }) else { throw NotAnswered() }
        for (task, answer) in answers { broker.note(.answered(task.message.id, answer)) }
    }
}

extension TaskMessage {
    fileprivate func isCopy(of other: TaskMessage) -> Bool {
        id == other.id && ByteKey(requestBody) == ByteKey(other.requestBody)
    }
}

/// A task that can never be done.
private struct DeadTask: Error {
    let reason: String
}

/// The broker did not take an answer: the batch comes again.
struct NotAnswered: Error {}
