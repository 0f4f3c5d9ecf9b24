import SettlePostgres

// What operators ask and do.
extension CentreStore {
    /// Up to `limit` messages below the number `before`, newest first.
    func messages(status: MessageStatus?, before: Int64?, limit: Int) async throws -> [MessageEntry] {
        // Only the conditions that are asked for: a plan for all of them at once would read the table for each.
        guard let status else {
            return try await database.query(Self.list, [.int64(before ?? .max), .int(limit)])
                .map(MessageEntry.init(row:))
        }
        return try await database.query(
            Self.list(of: status), [.int64(before ?? .max), .int(limit)]
        ).map(MessageEntry.init(row:))
    }

    func message(_ id: String) async throws -> MessageEntry? {
        try await database.query(Self.one, [.text(id)]).first.map(MessageEntry.init(row:))
    }

    /// How many there are that live, by their status.
    func counts() async throws -> [(MessageStatus, Int)] {
        guard let row = try await database.query(Self.counts).first else { return [] }
        return try [MessageStatus.prepared, .confirmed, .sent, .parked].enumerated().map { index, status in
            (status, try row.decode(Int.self, at: index))
        }
    }

    /// Makes messages due now that are not archived, parked ones too, with all their checks or sends before them.
    func makeDue(_ ids: [String]) async throws {
        _ = try await database.query(Self.makeDue, [.texts(ids)])
    }
}
