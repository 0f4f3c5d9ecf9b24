import SettlePostgres

// The statements over `settle.set_aside` that operators need.
extension SetAsideStore {
    func records(isDead: Bool, before: Int64?, limit: Int) async throws -> [SetAsideRecord] {
        try await database.query(
            """
            SELECT \(SetAsideRecord.columns) FROM settle.set_aside
            WHERE state = '\(isDead ? "dead" : "waiting")' AND ($1::bigint IS NULL OR id < $1) ORDER BY id DESC LIMIT $2
            """, [PostgresValue(before), .int(limit)]
        ).map(SetAsideRecord.init(row:))
    }

    func content(of id: Int64) async throws -> SetAsideContent? {
        try await database.query("SELECT \(SetAsideContent.columns) FROM settle.set_aside WHERE id = $1", [.int64(id)])
            .first.map(SetAsideContent.init(row:))
    }

    /// Has a dead letter wait again, due now; false when there is none whose body is here.
    func revive(_ id: Int64) async throws -> Bool {
        let rows = try await database.query(
            """
            UPDATE settle.set_aside SET \(Self.waitsAgain) WHERE id = $1 AND state = 'dead' AND body IS NOT NULL
            RETURNING id
            """, [.int64(id)])
        return !rows.isEmpty
    }

    /// The same for a batch of those with an id above `last`, of one queue or of all; returns their ids.
    func revive(of queue: String?, after last: Int64) async throws -> [Int64] {
        try await database.query(
            """
            WITH dead AS (
                SELECT id FROM settle.set_aside
                WHERE state = 'dead' AND body IS NOT NULL AND id > $1 AND ($2::text IS NULL OR queue = $2)
                ORDER BY id LIMIT $3 FOR UPDATE SKIP LOCKED)
            UPDATE settle.set_aside s SET \(Self.waitsAgain) FROM dead WHERE s.id = dead.id RETURNING s.id
            """, [.int64(last), PostgresValue(queue), .int(settings.batchSize)]
        ).map { try $0.decode(Int64.self, at: 0) }
    }

    /// False when there is no such dead letter.
    func discard(_ id: Int64) async throws -> Bool {
        let rows = try await database.query(
            "DELETE FROM settle.set_aside WHERE id = $1 AND state = 'dead' RETURNING id", [.int64(id)])
        return !rows.isEmpty
    }

    private static let waitsAgain = """
        state = 'waiting', tries = 0, failures = 0, due_time = now(), waiting_since = now(), resent_at = now()
        """
}
