import SettleCore
public import Logging
import Metrics
public import SettlePostgres
import SettleRabbitMQ
public import ServiceLifecycle
import Synchronization

/// Keeps the messages that a receiver cannot handle now, so that their neighbours are handled, answered and acknowledged.
///
/// A message that meets a held row, or fails for a reason that may pass, is written to `settle.set_aside` in the
/// receiver's own database before its delivery is acknowledged. From there it goes the same way as a delivery again and
/// again, with back-off, until it is handled or its time is up. Then, as one that nobody can read, it is a dead
/// letter: it stays in the table, for operators, and a copy goes to the dead-letter exchange.
public final class SetAside: Service {
    /// Handles what it can of a batch and returns what it cannot; throws when the whole batch must come again. The second
    /// parameter says that the messages were set aside before.
    typealias Attempt = @Sendable (_ deliveries: [Delivery], _ isRetry: Bool) async throws -> [Leftover]

    let store: SetAsideStore
    /// Something became due before the next look.
    let wakeup = Wakeup()

    private let deadLetters: DeadLetters
    private let logger: Logger
    private let receivers = Mutex<[String: Attempt]>([:])  // ours
    private let isStopping = Atomic(false)
    private let metrics = SetAsideMetrics()

    /// - Parameters:
    ///   - settings: how patient it is, and how much it keeps.
    ///   - database: the receiver's own, with the migration `SettleSchema.setAside`.
    ///   - deadLetters: takes what is given up.
    ///   - logger: gets a line for all that an operator should know.
    public init(
        settings: SetAsideSettings = SetAsideSettings(), database: PostgresDatabase, deadLetters: DeadLetters,
        logger: Logger
    ) {
        self.deadLetters = deadLetters
        self.logger = logger
        store = SetAsideStore(database: database, settings: settings)
    }

    private var settings: SetAsideSettings { store.settings }

    /// A subscription whose messages are handled by `attempt`, here too when they were set aside.
    func subscription(queue: String, prefetch: UInt16, _ attempt: @escaping Attempt) -> Subscription {
        receivers.withLock { $0[queue] = attempt }
        return Subscription(queue: queue, prefetch: prefetch) { [self] in try await receive($0, attempt) }
    }

    /// Handles a batch that was delivered. Returns when all of it is handled or durably set aside, so that it may be
    /// acknowledged; throws when it must be handled again.
    func receive(_ deliveries: [Delivery], _ attempt: Attempt) async throws {
        let leftovers = try await attempt(deliveries, false)
        guard !leftovers.isEmpty else { return }
        let dead = leftovers.filter { $0.fate == .dead }.map {
            NewLetter(delivery: deliveries[$0.index], reason: $0.reason)
        }
        if !dead.isEmpty {
            let areKept = try await store.addDead(dead)
            if !areKept {
                logger.error("too many dead letters; these are in the queue only", metadata: ["count": "\(dead.count)"])
            }
            try await deadLetters.send(dead.map { DeadLetter($0.delivery, reason: $0.reason) }, areKept: areKept)
        }
        let waiting = leftovers.filter { $0.fate != .dead }.map { newLetter($0, deliveries[$0.index]) }
        guard !waiting.isEmpty else { return }
        guard try await store.addWaiting(waiting) else {
            metrics.full.increment()
            throw SetAsideFull()
        }
        for letter in waiting { note("message set aside", letter.delivery, letter.reason) }
        wakeup.call()
    }

    private func newLetter(_ leftover: Leftover, _ delivery: Delivery) -> NewLetter {
        let (tries, failures, wait) = next(leftover.fate, tries: 0, failures: 0)
        return NewLetter(
            delivery: delivery, reason: leftover.reason, tries: tries, failures: failures, wait: wait)
    }

    /// What one more try that ended with `fate` makes of these numbers, and how long until the next.
    private func next(_ fate: Leftover.Fate, tries: Int, failures: Int) -> (tries: Int, failures: Int, wait: Duration) {
        switch fate {
        case .untried: (tries, failures, .zero)
        case .held: (tries + 1, failures, settings.heldBackoff.delay(attempt: tries + 1))
        case .failed, .dead: (tries + 1, failures + 1, settings.failureBackoff.delay(attempt: failures + 1))
        }
    }

    // MARK: Trying again

    /// Tries what is due, until graceful shutdown.
    public func run() async throws {
        await withGracefulShutdownHandler {
            var vain = 0
            while !isStopping.load(ordering: .acquiring), !Task.isCancelled {
                do {
                    let pause = try await round()
                    vain = 0
                    await wakeup.wait(atMost: pause)
                } catch {
                    vain += 1
                    logger.warning("messages set aside could not be tried; later", metadata: ["error": "\(error)"])
                    await wakeup.wait(atMost: settings.failureBackoff.delay(attempt: vain))
                }
            }
        } onGracefulShutdown: {
            self.isStopping.store(true, ordering: .releasing)
            self.wakeup.call()
        }
    }

    /// Tries what is due once; returns how long there will be nothing to do, as far as is known.
    private func round() async throws -> Duration {
        let receivers = receivers.withLock { $0 }
        // What cannot be answered need not be tried.
        let canSend = deadLetters.canSend && !receivers.isEmpty
        let claimed = canSend ? try await store.claim(receivers.keys.sorted()) : []
        var failure: (any Error)?
        for (queue, letters) in Dictionary(grouping: claimed, by: \.delivery.queue) {  // ours
            guard let attempt = receivers[queue] else { continue }
            do { try await tryAgain(letters, attempt) } catch { failure = error }
        }
        if let failure { throw failure }
        let (counts, oldestAge, nextDue) = try await store.state()
        metrics.show(counts, oldestAge)
        guard canSend, let nextDue else { return settings.scanInterval }
        // Never at once: what is due and was not claimed is in the hands of another process.
        return min(max(nextDue, .milliseconds(10)), settings.scanInterval)
    }

    /// What it throws ends nothing: the letters come due again when their lease ends.
    private func tryAgain(_ letters: [DueLetter], _ attempt: Attempt) async throws {
        let leftovers: [Leftover]
        do {
            leftovers = try await attempt(letters.map(\.delivery), true)
        } catch {
            let wait = settings.failureBackoff.initial
            try await store.postpone(letters.map { ($0, "its batch failed", $0.tries, $0.failures, wait) })
            throw error
        }
        let left = Set(leftovers.map(\.index))
        try await store.remove(letters.indices.filter { !left.contains($0) }.map { letters[$0].id })

        var dead: [(letter: DueLetter, reason: String)] = []
        var waiting: [(letter: DueLetter, reason: String, tries: Int, failures: Int, wait: Duration)] = []
        for leftover in leftovers {
            let letter = letters[leftover.index]
            let (tries, failures, wait) = next(leftover.fate, tries: letter.tries, failures: letter.failures)
            if leftover.fate == .dead || failures >= settings.maxFailures {
                dead.append((letter, leftover.reason))
            } else if leftover.fate == .held, letter.age > settings.giveUpAfter {
                dead.append((letter, "its time is up: \(leftover.reason)"))
            } else {
                waiting.append((letter, leftover.reason, tries, failures, wait))
            }
        }
        try await store.postpone(waiting)
        try await deadLetters.send(dead.map { DeadLetter($0.letter.delivery, reason: $0.reason) }, areKept: true)
        try await store.bury(dead)
    }

    private func note(_ what: Logger.Message, _ delivery: Delivery, _ reason: String) {
        logger.info(
            what,
            metadata: [
                "queue": "\(delivery.queue)", "messageId": "\(delivery.messageID ?? "none")", "reason": "\(reason)",
            ])
    }
}

/// More messages wait than may: the batch is held, unacknowledged, until some of them are handled.
struct SetAsideFull: Error, CustomStringConvertible {
    var description: String { "too many messages are set aside; the batch waits" }
}

/// What an operator watches of the messages that are set aside.
struct SetAsideMetrics: Sendable {
    let full = Counter(label: "settle_set_aside_full_total")
    private let waiting = Gauge(label: "settle_set_aside_waiting")
    private let dead = Gauge(label: "settle_set_aside_dead")
    private let oldest = Gauge(label: "settle_set_aside_oldest_age_seconds")

    func show(_ counts: SetAsideCounts, _ oldestAge: Double) {
        waiting.record(counts.waiting)
        dead.record(counts.dead)
        oldest.record(oldestAge)
    }
}
