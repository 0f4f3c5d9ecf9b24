import SettleCore
import SettlePostgres

// What operators do with the messages that are set aside.
extension SetAside {
    /// Up to `limit` of them, newest first.
    ///
    /// - Parameters:
    ///   - isDead: the dead letters; else those that wait.
    ///   - before: only those with a smaller id.
    public func records(isDead: Bool = true, before: Int64? = nil, limit: Int) async throws -> [SetAsideRecord] {
        try await store.database.query(
            """
            SELECT \(SetAsideRecord.columns) FROM settle.set_aside
            WHERE state = '\(isDead ? "dead" : "waiting")' AND ($1::bigint IS NULL OR id < $1) ORDER BY id DESC LIMIT $2
            """, [PostgresValue(before), .int(limit)]
        ).map(SetAsideRecord.init(row:))
    }

    /// How many there are.
    public func counts() async throws -> SetAsideCounts { try await store.state().counts }

    /// Has a dead letter tried again, now; false when there is no such dead letter, or its body was too long to be kept.
    public func retry(_ id: Int64) async throws -> Bool {
        let rows = try await store.database.query(
            """
            UPDATE settle.set_aside SET \(Self.waitsAgain) WHERE id = $1 AND state = 'dead' AND body IS NOT NULL
            RETURNING id
            """, [.int64(id)])
        if !rows.isEmpty { wakeup.call() }
        return !rows.isEmpty
    }

    /// Has all dead letters, or those of one queue, tried again, in batches; returns how many. Those that die meanwhile
    /// are not tried once more.
    public func retryAll(queue: String? = nil) async throws -> Int {
        var (count, last) = (0, Int64.min)
        while true {
            let ids = try await store.database.query(
                """
                WITH dead AS (
                    SELECT id FROM settle.set_aside
                    WHERE state = 'dead' AND body IS NOT NULL AND id > $1 AND ($2::text IS NULL OR queue = $2)
                    ORDER BY id LIMIT $3 FOR UPDATE SKIP LOCKED)
                UPDATE settle.set_aside s SET \(Self.waitsAgain) FROM dead WHERE s.id = dead.id RETURNING s.id
                """, [.int64(last), PostgresValue(queue), .int(store.settings.batchSize)]
            ).map { try $0.decode(Int64.self, at: 0) }
            count += ids.count
            if !ids.isEmpty { wakeup.call() }
            guard ids.count == store.settings.batchSize, let highest = ids.max() else { return count }
            last = highest
        }
    }

    /// Forgets a dead letter; false when there is none with this id. The dead-letter queue still has it.
    public func discard(_ id: Int64) async throws -> Bool {
        let rows = try await store.database.query(
            "DELETE FROM settle.set_aside WHERE id = $1 AND state = 'dead' RETURNING id", [.int64(id)])
        return !rows.isEmpty
    }

    private static let waitsAgain = """
        state = 'waiting', tries = 0, failures = 0, due_time = now(), waiting_since = now(), resent_at = now()
        """
}
