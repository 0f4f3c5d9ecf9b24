import SettleCore
import Foundation
public import Logging
public import SettleRabbitMQ

/// Receives one type of task, or of a centre's messages: each is applied at most once, and answered as often as it comes.
///
/// The order of things is what makes it safe: applied and committed, then noted in Redis and answered (with the
/// broker's confirm, or the centre's), and only then acknowledged. Whatever dies in between, the message comes again and is a duplicate.
public final class TaskReceiver<Applier: TaskApplier>: Sendable {
    private let queue: String
    private let wire: any ReceiverWire
    private let applier: Applier
    private let dedup: (any DedupCache)?
    private let setAside: SetAside
    private let hook: MessageHook?
    private let heldRows = HeldRows()
    private let failpoints: Failpoints
    private let logger: Logger
    private let metrics: ReceiverMetrics

    /// - Parameters:
    ///   - route: which tasks, and where the answers go.
    ///   - applier: does the tasks.
    ///   - publisher: for the answers.
    ///   - dedup: spares copies the way through `apply`; without it every task is applied, and the database says which
    ///     ones are copies. Nothing else is lost.
    ///   - setAside: keeps what cannot be applied now, and what nobody can read; run by the caller.
    ///   - hook: stands around each batch.
    ///   - keys: tasks must be signed with them, and answers are.
    ///   - failpoints: where to crash on demand, in tests.
    ///   - logger: gets a line for all that an operator should know.
    public convenience init(
        route: TaskRoute, applier: Applier, publisher: any MessagePublisher, dedup: RedisDedup? = nil,
        setAside: SetAside, keys: MessageKeys = .none, hook: MessageHook? = nil, failpoints: Failpoints = .none,
        logger: Logger
    ) {
        self.init(
            queue: route.queue, wire: TaskWire(route: route, publisher: publisher, keys: keys), applier: applier,
            dedup: dedup, setAside: setAside, hook: hook, failpoints: failpoints, logger: logger)
    }

    /// Receives the messages of a route that a message centre sends, and tells the centre what became of each.
    ///
    /// - Parameters:
    ///   - route: which messages.
    ///   - applier: does what they ask for.
    ///   - centre: is told.
    ///   - dedup: spares copies the way through `apply`.
    ///   - setAside: keeps what cannot be applied now, and what nobody can read; run by the caller.
    ///   - keys: messages must be signed with them.
    ///   - hook: stands around each batch.
    ///   - failpoints: where to crash on demand, in tests.
    ///   - logger: gets a line for all that an operator should know.
    public convenience init(
        route: MessageRoute, applier: Applier, centre: any MessageCentrePeer, dedup: RedisDedup? = nil,
        setAside: SetAside, keys: MessageKeys = .none, hook: MessageHook? = nil, failpoints: Failpoints = .none,
        logger: Logger
    ) {
        self.init(
            queue: route.queue, wire: MessageWire(route: route, centre: centre, keys: keys, logger: logger),
            applier: applier, dedup: dedup, setAside: setAside, hook: hook, failpoints: failpoints, logger: logger)
    }

    private init(
        queue: String, wire: any ReceiverWire, applier: Applier, dedup: RedisDedup?, setAside: SetAside,
        hook: MessageHook?, failpoints: Failpoints, logger: Logger
    ) {
        self.queue = queue
        self.wire = wire
        self.applier = applier
        self.dedup = dedup
        self.setAside = setAside
        self.hook = hook
        self.failpoints = failpoints
        self.logger = logger
        metrics = ReceiverMetrics(taskType: wire.taskType)
    }

    /// A subscription to the tasks of the route.
    public func subscription(prefetch: UInt16 = 500) -> Subscription {
        setAside.subscription(queue: queue, prefetch: prefetch) { try await self.attempt($0, isRetry: $1) }
    }

    /// Returns when all that the batch stands for is applied and answered, but for what is returned; throws when the
    /// same batch must be handled again.
    func attempt(_ deliveries: [Delivery], isRetry: Bool) async throws -> [Leftover] {
        let read = read(deliveries)
        let trace = BatchTrace.processing(queue, read.items.map(\.delivery), taskType: wire.taskType) {
            ("settle.business_key", read.items[$0].businessKey)
        }
        defer { trace.end() }
        return try await trace.run { try await attempt(read.items, read.unreadable, isRetry: isRetry, trace) }
    }

    private func attempt(
        _ items: [Item], _ unreadable: [Leftover], isRetry: Bool, _ trace: BatchTrace
    ) async throws -> [Leftover] {
        var (items, leftovers) = (items, unreadable)
        for place in items.indices { items[place].traceParent = trace.traceParent(place) ?? items[place].traceParent }
        for (place, record) in zip(items.indices, await dedup?.take(items.map(\.key)) ?? []) {
            items[place].record = record
            metrics.hint(record)
        }
        var answers: [(item: Item, answer: TaskAnswer)] = []
        func conclude(_ outcomes: some Sequence<(Item, TaskOutcome)>) {
            for (item, outcome) in outcomes {
                note(outcome, of: item)
                if let answer = outcome.answer { answers.append((item, answer)) }
                if case .conflict(let reason) = outcome {
                    leftovers.append(Leftover(index: item.index, fate: .dead, reason: reason))
                }
            }
        }
        var failure: (any Error)?
        do {
            let known = try await known(among: items)
            conclude(items.compactMap { item in known[item.index].map { (item, $0) } })
            for round in rounds(of: items.filter { known[$0.index] == nil }) {
                let failures = try await isolation(isRetry: isRetry).run(round) { items in
                    try failpoints.reach("inbox.beforeCommit")
                    let outcomes = try await apply(items.map(\.task))
                    try failpoints.reach("inbox.committed")
                    conclude(zip(items, outcomes))
                }
                leftovers += failures.map { Leftover(index: $0.item.index, fate: $0.fate, reason: $0.reason) }
            }
        } catch {
            failure = error  // what was decided before it is answered all the same
            trace.failed(error)
        }
        await dedup?.decided(answers.map(\.item.key))
        try await publish(answers)
        try failpoints.reach("inbox.answered")
        // The batch comes again, and with it what is left over: put aside now, it would be put aside each time.
        if let failure { throw failure }
        return leftovers
    }

    private func apply(_ tasks: [ReceivedTask<Applier.Body>]) async throws -> [TaskOutcome] {
        guard let hook else { return try await applier.apply(tasks) }
        var outcomes: [TaskOutcome]?
        try await hook(MessageStep(kind: .apply, taskType: wire.taskType, count: tasks.count)) {
            outcomes = try await applier.apply(tasks)
        }
        guard let outcomes else { throw HookDidNothing() }
        return outcomes
    }

    /// What the database knows of those that Redis takes for duplicates, by their places in the batch: one read, and none
    /// for a batch of new ones. The others are applied, whatever Redis said.
    private func known(among items: [Item]) async throws -> [Int: TaskOutcome] {
        let hinted = items.filter(\.record.saysLookFirst)
        guard !hinted.isEmpty else { return [:] }
        do {
            var known: [Int: TaskOutcome] = [:]
            for (item, outcome) in zip(hinted, try await applier.decided(hinted.map(\.task))) {
                known[item.index] = outcome
            }
            return known
        } catch  where Blame(error) != .nobody {
            // Something in one of them, which applying them finds out and isolates.
            logger.warning("could not look for duplicates", metadata: ["error": "\(error)"])
            return [:]
        }
    }

    private func isolation(isRetry: Bool) -> BatchIsolation<Item> {
        BatchIsolation(
            rows: { [applier] in applier.rows(of: $0.task.body).map(ByteKey.init) },
            held: { [applier] in try await applier.held(among: $0.map(\.text)) }, memory: heldRows, isRetry: isRetry,
            logger: logger
        )
    }

    private func publish(_ answers: [(item: Item, answer: TaskAnswer)]) async throws {
        guard !answers.isEmpty else { return }
        let untold = try await wire.tell(
            answers.map {
                ReceiverAnswer(
                    delivery: $0.delivery, message: $0.task.message, answer: $1, traceParent: $0.traceParent)
            })
        for (index, reason) in untold {
            // The task is done all the same; its sender asks again until it gives up, and shows it as parked.
            metrics.unsent()
            logger.error(
                "nobody takes the answer",
                metadata: answers[index].item.metadata.merging(["outcome": "\(reason)"]) { $1 })
        }
    }

    private func note(_ outcome: TaskOutcome, of item: Item) {
        metrics.outcome(outcome)
        switch outcome {
        case .applied where item.record == .decided, .answered where item.record == .decided:
            metrics.hintWasWrong()
            logger.warning("Redis knew a task as decided that the database did not; applied", metadata: item.metadata)
        case .applied, .answered: logger.debug("task applied", metadata: item.metadata)
        case .duplicate: logger.info("duplicate task answered again", metadata: item.metadata)
        case .rejected(let reason), .conflict(let reason):
            logger.info("task not applied", metadata: item.metadata.merging(["reason": "\(reason)"]) { $1 })
        }
    }
}

// MARK: - From deliveries to tasks

extension TaskReceiver {
    struct Item: Sendable {
        let delivery: Delivery
        /// The delivery's place in its batch.
        let index: Int
        let task: ReceivedTask<Applier.Body>
        /// What its sender knows it by.
        let name: String
        /// What it is known by, in Redis too. The content is in it, so that two tasks with one id are never taken for one.
        let key: String
        let businessKey: String
        /// What Redis says of it.
        var record = DedupRecord.unknown
        /// The trace that it belongs to, and what its answer goes on from.
        var traceParent: String?

        var metadata: Logger.Metadata {
            var metadata: Logger.Metadata = [
                "taskId": "\(name)", "taskType": "\(task.message.taskType)",
                "businessKey": "\(businessKey)",
            ]
            if let traceParent { metadata["traceparent"] = "\(traceParent)" }
            return metadata
        }
    }

    /// Copies of one message within the batch count as one.
    private func read(_ deliveries: [Delivery]) -> (items: [Item], unreadable: [Leftover]) {
        let decoder = JSONDecoder()
        var items: [Item] = []
        var unreadable: [Leftover] = []
        var seen: Set<ByteKey> = []
        for (index, delivery) in deliveries.enumerated() {
            do {
                let item = try item(from: delivery, index, decoder)
                if seen.insert(ByteKey(item.key)).inserted { items.append(item) }
            } catch let error as BadSignature {
                unreadable.append(Leftover(index: index, fate: .dead, reason: "\(error)"))
            } catch {
                unreadable.append(Leftover(index: index, fate: .dead, reason: "unreadable: \(error)"))
            }
        }
        return (items, unreadable)
    }

    private func item(from delivery: Delivery, _ index: Int, _ decoder: JSONDecoder) throws -> Item {
        guard delivery.bodySize <= 1 << 20 else {
            throw UnreadableMessage(description: "\(delivery.bodySize) bytes are more than a task may have")
        }
        let message = try wire.read(delivery, decoder)
        let body = try decoder.decode(Applier.Body.self, from: Data(message.requestBody.utf8))
        try applier.check(body)
        let name = wire.name(of: message, delivery)
        let hash = String(FNV1a.hash(message.requestBody.utf8), radix: 16)
        return Item(
            delivery: delivery, index: index, task: ReceivedTask(message: message, body: body), name: name,
            key: "\(queue):\(name):\(hash)", businessKey: applier.dedupKey(of: body),
            traceParent: delivery.traceParent)
    }

    /// Splits `items` so that no round has two tasks with the same key: the second finds what the first has done.
    private func rounds(of items: [Item]) -> [[Item]] {
        var rounds: [[Item]] = []
        var occurrences: [ByteKey: Int] = [:]
        for item in items {
            let key = ByteKey(item.businessKey)
            let round = occurrences[key, default: 0]
            occurrences[key] = round + 1
            if round == rounds.count { rounds.append([]) }
            rounds[round].append(item)
        }
        return rounds
    }
}

/// The 64-bit FNV-1a hash: stable across processes, which Swift's own hashing is not.
enum FNV1a {
    static func hash(_ bytes: some Sequence<UInt8>) -> UInt64 {
        bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }
}
