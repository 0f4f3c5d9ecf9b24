import SettleCore
import Foundation
import Logging
import ServiceLifecycle
import SettlePostgres
import Synchronization

/// Tells the centre of the messages of this producer: what was saved is prepared, what is done is confirmed.
///
/// One lane: what gathers while a request is on its way is the next one, and nothing is confirmed before it is prepared. All
/// that it is handed is in the table as well, which it looks at now and then: so whatever is lost is told again.
final class ProducerRelay: Sendable {
    /// A request is never bigger than a server takes.
    private static let maxMessages = 200
    private static let maxBytes = 512 << 10

    private let store: MessageStore
    private let centre: any MessageCentrePeer
    private let keys: MessageKeys
    private let wantsOutcomes: Bool
    private let failpoints: Failpoints
    private let logger: Logger
    private let outcomes: OutcomeReceiver
    private let committed: Mailbox<MessageSender.Event>
    private let scanSignal = Mailbox<Void>(capacity: 1)
    private let centreHealth = Mutex(Absence())
    private let traces = MessageTraces()

    /// How long nobody is asked who was away.
    private struct Absence {
        var failures = 0
        var notBefore = ContinuousClock.now
    }

    private var metrics: ProducerMetrics { outcomes.metrics }
    private var settings: TaskSettings { store.settings.tasks }

    init(
        sender: MessageSender, centre: any MessageCentrePeer, outcomes: OutcomeReceiver, keys: MessageKeys,
        wantsOutcomes: Bool, failpoints: Failpoints, logger: Logger
    ) {
        store = sender.store
        committed = sender.committed
        self.outcomes = outcomes
        self.centre = centre
        self.keys = keys
        self.wantsOutcomes = wantsOutcomes
        self.failpoints = failpoints
        self.logger = logger
    }

    func run() async {
        await withGracefulShutdownHandler {
            await withTaskGroup { group in
                group.addTask { await self.tellCommitted() }
                group.addTask { await self.scanUntilStopped() }
                group.addTask { await Task.every(self.settings.scanInterval) { _ = self.scanSignal.offer(()) } }
                if let retention = settings.historyRetention {
                    group.addTask { await self.forgetArchived(longerThan: retention) }
                }
                await group.next()
                group.cancelAll()
            }
        } onGracefulShutdown: {
            self.committed.close()
            self.scanSignal.close()
        }
    }

    // MARK: What was committed here

    private func tellCommitted() async {
        while true {
            let batch = await committed.take(atMost: settings.batchSize)
            guard !batch.isEmpty else { return }
            // A centre that is away is not asked for each: all of it is due in the table.
            guard mayAsk else { continue }
            var saved: [StoredMessage] = []
            var done: [UUID] = []
            for event in batch {
                switch event {
                case .saved(let message): saved.append(message)
                case .done(let id): done.append(id)
                }
            }
            do {
                _ = try await prepare(saved)
                try await confirm(done)
            } catch {
                failed(error)
            }
        }
    }

    // MARK: What is due

    private func scanUntilStopped() async {
        var scans = 0
        while await !scanSignal.take().isEmpty {
            do {
                if mayAsk { try await tellDue() }
                if scans % 5 == 0 { metrics.backlog(try await store.backlog()) }
            } catch {
                failed(error)
            }
            scans += 1
        }
    }

    private func tellDue() async throws {
        while !Task.isCancelled {
            let due = try await store.claim()
            let late = due.filter(\.isLate).map(\.message.id)
            if !late.isEmpty {
                // Nobody has asked, and nobody need: whoever began them is gone, or will be refused.
                try await store.giveUpLate(late)
                logger.info(
                    "pre-messages whose transactions never committed were given up",
                    metadata: ["messages": "\(late.count)"])
            }
            let prepared = try await prepare(due.filter { !$0.isLate }.map(\.message))
            try await confirm(due.filter { $0.isDone && prepared.contains($0.message.id) }.map(\.message.id))
            guard due.count == settings.batchSize else { return }
        }
    }

    private func forgetArchived(longerThan retention: Duration) async {
        let walk = PurgeWalk<UUID>()
        await Task.every(settings.purgeInterval) {
            do {
                _ = try await walk.round(batchSize: settings.batchSize) {
                    try await store.purge(after: $0, retention: retention)
                }
            } catch {
                logger.warning("forgetting archived messages failed", metadata: ["error": "\(error)"])
            }
        }
    }

    // MARK: The centre

    private var mayAsk: Bool { centreHealth.withLock { $0.notBefore <= .now } }

    private func failed(_ error: any Error) {
        let failures = centreHealth.withLock { absence in
            absence.failures += 1
            absence.notBefore = .now + settings.vainBackoff.delay(attempt: absence.failures)
            return absence.failures
        }
        metrics.failed()
        logger.warning(
            "the message centre could not be told; what it missed is told again",
            metadata: ["failures": "\(failures)", "error": "\(error)"])
    }

    /// Returns those that the centre has now.
    private func prepare(_ messages: [StoredMessage]) async throws -> Set<UUID> {
        var prepared: Set<UUID> = []
        for batch in batches(of: messages) {
            try failpoints.reach("producer.beforePrepare")
            let trace = traces.preparing(Array(batch))
            defer { trace.end() }
            let known = try await trace.run { try await centre.prepare(batch.map(outgoing)) }
            centreHealth.withLock { $0 = Absence() }
            try failpoints.reach("producer.prepared")
            prepared.formUnion(known)
            metrics.prepared(known.count)
            for message in batch where !known.contains(message.id) {
                logger.error("the message centre has another message with this id", metadata: message.metadata)
            }
        }
        return prepared
    }

    private func confirm(_ ids: [UUID]) async throws {
        for start in stride(from: 0, to: ids.count, by: settings.batchSize) {
            let batch = Array(ids[start..<min(start + settings.batchSize, ids.count)])
            try failpoints.reach("producer.beforeConfirm")
            let trace = traces.confirming(batch)
            defer { trace.end() }
            let said = try await trace.run { try await centre.confirm(batch) }
            centreHealth.withLock { $0 = Absence() }
            try failpoints.reach("producer.confirmed")
            // One that is unknown was not prepared yet: it is due soon.
            let confirmed = batch.filter { said[$0] == .confirmed }
            metrics.confirmed(confirmed.count)
            try await note(confirmed: confirmed)
            try await note(discarded: batch.filter { said[$0] == .discarded })
        }
    }

    private func note(confirmed ids: [UUID]) async throws {
        guard !ids.isEmpty else { return }
        if wantsOutcomes { return try await store.postpone(ids) }
        try await store.database.transaction { [store] transaction in
            _ = try store.archive(ids.map { MessageOutcome(id: $0, rejection: nil) }, as: "confirmed", in: transaction)
        }
    }

    /// Nobody will do what they ask for: that is an outcome, too.
    private func note(discarded ids: [UUID]) async throws {
        guard !ids.isEmpty else { return }
        logger.error(
            "messages were discarded at the message centre before they were confirmed",
            metadata: ["messages": "\(ids.count)", "messageId": "\(ids[0].uuidString.lowercased())"])
        _ = try await outcomes.take(
            ids.map { MessageOutcome(id: $0, rejection: "discarded at the message centre") })
    }

    private func batches(of messages: [StoredMessage]) -> [ArraySlice<StoredMessage>] {
        var batches: [ArraySlice<StoredMessage>] = []
        var (start, bytes) = (messages.startIndex, 0)
        for (index, message) in messages.enumerated() {
            if index - start == Self.maxMessages || (index > start && bytes + message.body.utf8.count > Self.maxBytes) {
                batches.append(messages[start..<index])
                (start, bytes) = (index, 0)
            }
            bytes += message.body.utf8.count
        }
        if start < messages.endIndex { batches.append(messages[start...]) }
        return batches
    }

    private func outgoing(_ message: StoredMessage) -> PreparedMessage {
        PreparedMessage(
            id: message.id, type: message.type, businessKey: message.businessKey, exchange: message.exchange,
            routingKey: message.routingKey, body: message.body,
            headers: keys.headers(
                id: message.id.uuidString.lowercased(), type: message.type, body: message.body,
                traceParent: message.traceParent),
            wantsOutcome: wantsOutcomes)
    }
}

extension StoredMessage {
    fileprivate var metadata: Logger.Metadata {
        ["messageId": "\(id.uuidString.lowercased())", "messageType": "\(type)", "businessKey": "\(businessKey)"]
    }
}
