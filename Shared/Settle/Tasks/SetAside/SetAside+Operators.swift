import SettleCore

// What operators do with the messages that are set aside.
extension SetAside {
    /// Up to `limit` of them, newest first.
    ///
    /// - Parameters:
    ///   - isDead: the dead letters; else those that wait.
    ///   - before: only those with a smaller id.
    ///   - limit: the most that are answered.
    public func records(isDead: Bool = true, before: Int64? = nil, limit: Int) async throws -> [SetAsideRecord] {
        try await store.records(isDead: isDead, before: before, limit: limit)
    }

    /// One of them, whole; nil when there is none with this id.
    public func content(of id: Int64) async throws -> SetAsideContent? { try await store.content(of: id) }

    /// How many there are.
    public func counts() async throws -> SetAsideCounts { try await store.state().counts }

    /// Has a dead letter tried again, now; false when there is no such dead letter, or its body was too long to be kept.
    public func retry(_ id: Int64) async throws -> Bool {
        let waitsAgain = try await store.revive(id)
        if waitsAgain { wakeup.call() }
        return waitsAgain
    }

    /// Has all dead letters, or those of one queue, tried again, in batches; returns how many. Those that die meanwhile
    /// are not tried once more.
    public func retryAll(queue: String? = nil) async throws -> Int {
        var (count, last) = (0, Int64.min)
        while true {
            let ids = try await store.revive(of: queue, after: last)
            count += ids.count
            if !ids.isEmpty { wakeup.call() }
            guard ids.count == store.settings.batchSize, let highest = ids.max() else { return count }
            last = highest
        }
    }

    /// Forgets a dead letter; false when there is none with this id. The dead-letter queue still has it.
    public func discard(_ id: Int64) async throws -> Bool { try await store.discard(id) }
}
