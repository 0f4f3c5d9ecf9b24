import Logging
import SettlePostgres
import Synchronization

/// Ends tasks that nobody answers: those that have expired, and those that an operator discards. What follows happens in the
/// same transaction, as with an answer.
final class GivingUp: Sendable {
    private let store: TaskStore
    private let outbox: Outbox
    private let logger: Logger
    private let metrics = GivenUpMetrics()
    private let followers = Mutex<[String: AnswerHandler]>([:])  // ours

    /// - Parameter outbox: over the same store.
    init(store: TaskStore, outbox: Outbox, logger: Logger) {
        self.store = store
        self.outbox = outbox
        self.logger = logger
    }

    /// From now on tasks of that type may be given up here.
    func follow(_ taskType: String, _ handler: @escaping AnswerHandler) {
        followers.withLock { $0[taskType] = handler }
    }

    /// The types that may be.
    var types: [String] { followers.withLock { $0.keys.sorted() } }

    /// Archives those of `ids` that are live, and of types that are followed, as discarded; how many.
    func discard(_ ids: [Int64], reason: String) async throws -> Int {
        let ended = try await end(ids, as: .discarded, reason: reason)
        for task in ended {
            logger.notice("task discarded", metadata: task.metadata.merging(["reason": "\(reason)"]) { $1 })
        }
        metrics.discarded(ended.count)
        return ended.count
    }

    /// Drops those that nobody has answered in time, or parks them, in batches.
    func expire() async throws {
        while !Task.isCancelled {
            let parked = try await store.parkExpired(limit: store.settings.batchSize)
            for id in parked { logger.error("task parked: nobody answered in time", metadata: ["taskId": "\(id)"]) }
            let ids = try await store.expired(of: types, limit: store.settings.batchSize)
            let ended = try await drop(ids)
            metrics.expired(dropped: ended, parked: parked.count)
            guard max(parked.count, ended) == store.settings.batchSize else { return }
        }
    }

    private func drop(_ ids: [Int64]) async throws -> Int {
        var ended: [AnsweredTask] = []
        do {
            ended = try await end(ids, as: .expired, reason: nil)
        } catch {
            // One that cannot be followed stops nobody else.
            logger.info("expired tasks are ended one by one", metadata: ["error": "\(error)"])
            for id in ids { ended += try await endAlone(id) }
        }
        for task in ended {
            guard case .rejected(let reason) = task.answer else { continue }
            logger.warning("task expired", metadata: task.metadata.merging(["reason": "\(reason)"]) { $1 })
        }
        return ended.count
    }

    /// One whose followers throw is parked, for a person to see; what passes is left to the next round.
    private func endAlone(_ id: Int64) async throws -> [AnsweredTask] {
        do {
            return try await end([id], as: .expired, reason: nil)
        } catch let error as PostgresError where error.passes {
            logger.info("an expired task waits", metadata: ["taskId": "\(id)", "error": "\(error)"])
            return []
        } catch let error as CancellationError {
            throw error
        } catch {
            logger.error(
                "task parked: what follows from its end fails", metadata: ["taskId": "\(id)", "error": "\(error)"])
            try await store.park(id, reason: "expired, and what follows from that fails: see the log")
            return []
        }
    }

    private func end(_ ids: [Int64], as end: TaskEnd, reason: String?) async throws -> [AnsweredTask] {
        guard !ids.isEmpty else { return [] }
        let followers = followers.withLock { $0 }
        let types = followers.keys.sorted()
        return try await store.database.transaction { [store, outbox] transaction in
            let ended = try store.giveUp(ids, as: end, reason: reason, of: types, in: transaction)
            guard !ended.isEmpty else { return [] }
            outbox.release(behind: ended, in: transaction)
            for type in types {
                let tasks = ended.filter { $0.taskType == type }
                if !tasks.isEmpty { try followers[type]?(transaction, tasks) }
            }
            return ended
        }
    }

    /// Answers came to tasks that were given up before: the receiver had them.
    func answeredLate(_ ids: [Int64]) {
        guard !ids.isEmpty else { return }
        metrics.late(ids.count)
        for id in ids {
            logger.warning("answered after it was given up: the receiver had it", metadata: ["taskId": "\(id)"])
        }
    }
}

extension PostgresError {
    /// Whether the next round may go better.
    fileprivate var passes: Bool { isUnavailable || isSerializationConflict || isLockTimeout }
}

/// A task is not given up here, for whatever waits for its answer would wait for ever: this process does not send tasks of
/// its type, so nobody here knows what follows.
public struct NobodyFollows: Error, Sendable, CustomStringConvertible {
    /// For an operator.
    public var description: String { "this service does not send tasks of that type, and does not know what follows" }
}
