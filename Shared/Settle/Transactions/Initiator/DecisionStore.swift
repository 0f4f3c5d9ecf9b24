import SettleCore
import Logging
import SettlePostgres

/// The statements over `settle.global_transaction`.
struct DecisionStore: Sendable {
    struct Unacknowledged: Sendable {
        let xid: XID
        let participants: [String]
    }

    let database: PostgresDatabase
    let settings: TransactionSettings

    /// Decides for `transactions` in the caller's transaction. Fails on the key of one that was declared aborted before.
    func add(_ transactions: [GlobalTransaction], in transaction: borrowing PostgresTransaction) {
        transaction.add(
            Self.commit,
            [
                .texts(transactions.map(\.xid.rawValue)),
                .texts(transactions.map { $0.participants.joined(separator: " ") }), .int(settings.lease.milliseconds),
            ])
    }

    /// What was decided, of those where anything was.
    func decisions(on xids: [XID]) async throws -> [XID: Decision] {
        let rows = try await database.query(
            Self.decided,
            [.texts(xids.map(\.rawValue))])
        return try decode(rows)
    }

    /// Declares `xids` aborted unless they are decided already; returns what is decided then.
    ///
    /// The insert is what makes "no row" certain. If the initiating transaction is open, it waits for its end; if that
    /// transaction has not reached its own insert yet, it will now fail there.
    ///
    /// - Throws: a `PostgresError` that `isHeldOpen` when an initiating transaction stays open for longer than `wait`.
    func settle(_ xids: [XID], wait: Duration) async throws -> [XID: Decision] {
        let rows = try await database.transaction { transaction in
            transaction.add("SELECT set_config('lock_timeout', $1, true)", [.text("\(wait.milliseconds)ms")])
            transaction.add(
                Self.abort, [.texts(xids.map(\.rawValue))])
            // A statement of its own, and so a later snapshot: it sees what the insert waited for.
            return try transaction.query(
                Self.decided,
                [.texts(xids.map(\.rawValue))])
        }
        return try decode(rows)
    }

    /// Declares `xids`, which nobody decides any more, aborted: their participants could not be told, or could not undo
    /// their parts now, and find it when they ask, before the deadline too.
    func noteAborted(_ xids: [XID], _ logger: Logger) async {
        guard !xids.isEmpty else { return }
        do {
            _ = try await settle(xids, wait: settings.outcomeWait)
        } catch {
            logger.warning(
                "rollbacks could not be noted; participants that ask hear of them after the deadline",
                metadata: ["xid": "\(xids[0])", "transactions": "\(xids.count)", "error": "\(error)"])
        }
    }

    /// Leases up to a batch of commit decisions whose participants have not all confirmed.
    func claim() async throws -> [Unacknowledged] {
        let rows = try await database.query(
            Self.due(settings.batchSize))
        return try rows.compactMap { row in
            guard let xid = XID(rawValue: try row.decode(String.self, at: 0)) else { return nil }
            return Unacknowledged(
                xid: xid, participants: try row.decode(String.self, at: 1).split(separator: " ").map(String.init))
        }
    }

    /// Every participant of these has confirmed.
    func acknowledge(_ xids: [XID]) async throws {
        _ = try await database.query(
            Self.acknowledgement, [.texts(xids.map(\.rawValue))])
    }

    /// How many commit decisions not every participant has confirmed, by participant; of the first ten thousand.
    func unacknowledged() async throws -> [String: Int] {  // ours
        let rows = try await database.query(
            """
            SELECT participant, count(*)
            FROM (SELECT participants FROM settle.global_transaction
                  WHERE decision = 'commit' AND acknowledged_at IS NULL LIMIT 10000) g, unnest(participants) AS participant
            GROUP BY participant
            """)
        return try rows.reduce(into: [:]) { counts, row in
            counts[try row.decode(String.self, at: 0)] = try row.decode(Int.self, at: 1)
        }
    }

    /// Forgets decisions that every participant has confirmed, and aborts, which nobody needs to.
    static func purge(_ settings: TransactionSettings) -> TransactionPurge {
        TransactionPurge(
            "settle.global_transaction", isOver: "(decision = 'abort' OR acknowledged_at IS NOT NULL)", settings)
    }

    private func decode(_ rows: PostgresRows) throws -> [XID: Decision] {
        try rows.reduce(into: [:]) { decisions, row in
            guard let xid = XID(rawValue: try row.decode(String.self, at: 0)) else { return }
            decisions[xid] = Decision(rawValue: try row.decode(String.self, at: 1))
        }
    }
}

// The statements. No step joins a batch with the table: see `TaskStatements`.
extension DecisionStore {
    static let decided = "SELECT xid, decision FROM settle.global_transaction WHERE xid = ANY ($1::text[])"

    static let commit = """
        INSERT INTO settle.global_transaction (xid, decision, participants, due_time)
        SELECT xid, 'commit', string_to_array(participants, ' '), now() + $3 * interval '1 millisecond'
        FROM unnest($1::text[], $2::text[]) AS t (xid, participants) ORDER BY xid
        """

    static let abort = """
        INSERT INTO settle.global_transaction (xid, decision)
        SELECT xid, 'abort' FROM unnest($1::text[]) AS xid ORDER BY xid ON CONFLICT DO NOTHING
        """

    /// The number in the text, as in `TaskStatements.claim`.
    static func due(_ limit: Int) -> String {
        """
        WITH due AS (
            SELECT xid FROM settle.global_transaction
            WHERE decision = 'commit' AND acknowledged_at IS NULL AND due_time <= now()
            ORDER BY due_time LIMIT \(limit) FOR UPDATE SKIP LOCKED)
        UPDATE settle.global_transaction SET
            attempts = attempts + 1,
            due_time = now() + least(60000, 1000 * 2 ^ least(attempts, 10)) * (0.75 + random() * 0.5)
                             * interval '1 millisecond'
        WHERE xid = ANY (ARRAY(SELECT xid FROM due))
        RETURNING xid, array_to_string(participants, ' ')
        """
    }

    static let acknowledgement = """
        WITH done AS (
            SELECT xid FROM settle.global_transaction
            WHERE xid = ANY($1::text[]) AND acknowledged_at IS NULL ORDER BY xid FOR UPDATE)
        UPDATE settle.global_transaction SET acknowledged_at = now() WHERE xid = ANY (ARRAY(SELECT xid FROM done))
        """
}

extension PostgresError {
    /// An initiating transaction was open for all of the time that it was waited for, or holds up others in a circle.
    var isHeldOpen: Bool { isLockTimeout || sqlState == "40P01" }
}
