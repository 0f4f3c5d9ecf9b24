import SettleCore
import Foundation
import SettlePostgres
import SettleRabbitMQ

/// The statements over `settle.set_aside` that receiving needs.
struct SetAsideStore: Sendable {
    /// Longer bodies are not kept: no task and no answer is as long.
    static let maxBody = 2 << 20
    /// The bodies that one claim brings into memory, in bytes.
    private static let claimBytes = 16 << 20

    let database: PostgresDatabase
    let settings: SetAsideSettings

    /// Has `letters` wait; false, and nothing done, when too many do already. A dead one of which a copy comes waits again.
    func addWaiting(_ letters: [NewLetter]) async throws -> Bool {
        let letters = letters.distinct
        return try await database.transaction { [settings] transaction in
            guard try Self.room(for: letters, in: "waiting", settings.maxWaiting, settings.maxBytes, transaction) else {
                return false
            }
            for letter in letters {
                try transaction.add(
                    Self.insert + """
                         ON CONFLICT (queue, fingerprint) DO UPDATE SET
                            state = 'waiting', headers = excluded.headers, body = excluded.body, reason = excluded.reason,
                            due_time = excluded.due_time, waiting_since = now()
                        WHERE s.state = 'dead'
                        """, letter.parameters(state: "waiting", keepsBody: true))
            }
            return true
        }
    }

    /// Notes `letters` as dead; false, and nothing done, when there are too many already.
    func addDead(_ letters: [NewLetter]) async throws -> Bool {
        let letters = letters.distinct
        return try await database.transaction { [settings] transaction in
            guard try Self.room(for: letters, in: "dead", settings.maxDead, settings.maxBytes, transaction) else {
                return false
            }
            for letter in letters {
                try transaction.add(
                    Self.insert + """
                         ON CONFLICT (queue, fingerprint) DO UPDATE SET
                            headers = excluded.headers, reason = excluded.reason
                        -- A copy that nobody signed came first; it must not stand for the signed one.
                        WHERE s.state = 'dead' AND starts_with(s.reason, '\(BadSignature.prefix)')
                          AND NOT starts_with(excluded.reason, '\(BadSignature.prefix)')
                        """,
                    letter.parameters(
                        state: "dead",
                        keepsBody: !letter.delivery.isTooLarge && letter.delivery.body.count <= Self.maxBody))
            }
            return true
        }
    }

    private static func room(
        for letters: [NewLetter], in state: String, _ limit: Int, _ maxBytes: Int,
        _ transaction: borrowing PostgresTransaction
    ) throws -> Bool {
        let rows = try transaction.query(
            "SELECT count(*), coalesce(sum(bytes), 0)::bigint FROM settle.set_aside WHERE state = '\(state)'")
        guard let row = rows.first else { return false }
        let bytes = letters.reduce(0) { $0 + min($1.delivery.body.count, maxBody) }
        return try row.decode(Int.self, at: 0) + letters.count <= limit
            && row.decode(Int.self, at: 1) + bytes <= maxBytes
    }

    private static let insert = """
        INSERT INTO settle.set_aside AS s (queue, exchange, routing_key, message_id, headers, body, bytes, state, reason,
                                           tries, failures, due_time, fingerprint)
        VALUES ($1, $2, $3, $4, $5::jsonb, $6::bytea, $7::bigint, $8, $9, $10::integer, $11::integer,
                now() + $12::bigint * interval '1 millisecond',
                sha256(convert_to(coalesce($4, ''), 'UTF8') || '\\x00'::bytea || coalesce($6::bytea, $13::bytea)))
        """

    /// Leases due messages of `queues` to the caller, those that are due longest first.
    func claim(_ queues: [String]) async throws -> [DueLetter] {
        try await database.query(
            Self.due(settings.batchSize),
            [
                .texts(queues), .int(Self.claimBytes), .int(settings.lease.milliseconds),
            ]
        ).map(DueLetter.init(row:))
    }

    /// These are handled.
    func remove(_ ids: [Int64]) async throws {
        guard !ids.isEmpty else { return }
        _ = try await database.query("DELETE FROM settle.set_aside WHERE id = ANY($1::bigint[])", [.int64s(ids)])
    }

    /// These are tried again, each after its wait.
    func postpone(_ letters: [(letter: DueLetter, reason: String, tries: Int, failures: Int, wait: Duration)])
        async throws
    {
        guard !letters.isEmpty else { return }
        _ = try await database.query(
            Self.postponement,
            [
                .int64s(letters.map(\.letter.id)), .texts(letters.map { NewLetter.clean($0.reason) }),
                .ints(letters.map(\.tries)),
                .ints(letters.map(\.failures)), .ints(letters.map(\.wait.milliseconds)),
            ])
    }

    /// These are not tried again by themselves.
    func bury(_ letters: [(letter: DueLetter, reason: String)]) async throws {
        guard !letters.isEmpty else { return }
        _ = try await database.query(
            Self.burial, [.int64s(letters.map(\.letter.id)), .texts(letters.map { NewLetter.clean($0.reason) })])
    }

    /// What there is, and how long until the next is due.
    func state() async throws -> (counts: SetAsideCounts, oldestAge: Double, nextDue: Duration?) {
        let rows = try await database.query(
            """
            SELECT count(*), coalesce(extract(epoch FROM now() - min(waiting_since)), 0)::float8,
                   extract(epoch FROM min(due_time) - now())::float8,
                   (SELECT count(*) FROM settle.set_aside WHERE state = 'dead')
            FROM settle.set_aside WHERE state = 'waiting'
            """)
        guard let row = rows.first else { return (SetAsideCounts(waiting: 0, dead: 0), 0, nil) }
        return (
            SetAsideCounts(waiting: try row.decode(Int.self, at: 0), dead: try row.decode(Int.self, at: 3)),
            try row.decode(Double.self, at: 1), try row.decode(Double?.self, at: 2).map { .seconds($0) }
        )
    }
}

// The statements on batches. No step joins a batch with the table: see `TaskStatements`.
extension SetAsideStore {
    /// The number in the text, as in `TaskStatements.claim`.
    static func due(_ limit: Int) -> String {
        """
        WITH due AS (
            SELECT id, due_time, bytes FROM settle.set_aside
            WHERE state = 'waiting' AND due_time <= now() AND queue = ANY($1::text[])
            ORDER BY due_time LIMIT \(limit) FOR UPDATE SKIP LOCKED),
        few AS (
            SELECT id FROM (SELECT id, sum(bytes) OVER (ORDER BY due_time, id) - bytes AS before FROM due) d
            WHERE before < $2)
        UPDATE settle.set_aside SET due_time = now() + $3 * interval '1 millisecond'
        WHERE id = ANY (ARRAY(SELECT id FROM few))
        RETURNING id, queue, exchange, routing_key, message_id, headers::text, body, tries, failures,
                  extract(epoch FROM now() - waiting_since)::float8
        """
    }

    /// Not dead is waiting; asked for that, the planner would go along the index of what waits, which is mostly empty.
    static let postponement = """
        UPDATE settle.set_aside SET
            reason = (SELECT jsonb_object($1::bigint[]::text[], $2::text[])) ->> id::text,
            tries = ((SELECT jsonb_object($1::bigint[]::text[], $3::bigint[]::text[])) ->> id::text)::integer,
            failures = ((SELECT jsonb_object($1::bigint[]::text[], $4::bigint[]::text[])) ->> id::text)::integer,
            due_time = now() + interval '1 millisecond'
                * ((SELECT jsonb_object($1::bigint[]::text[], $5::bigint[]::text[])) ->> id::text)::bigint
        WHERE id = ANY ($1::bigint[]) AND state <> 'dead'
        """

    static let burial = """
        UPDATE settle.set_aside SET
            state = 'dead', reason = (SELECT jsonb_object($1::bigint[]::text[], $2::text[])) ->> id::text
        WHERE id = ANY ($1::bigint[])
        """
}

extension NewLetter {
    /// A second body's beginning tells those apart that are not kept.
    private static let shownOfLong = 2048

    fileprivate func parameters(state: String, keepsBody: Bool) throws -> [PostgresValue] {
        [
            .text(Self.clean(delivery.queue)), .text(Self.clean(delivery.exchange)),
            .text(Self.clean(delivery.routingKey)), PostgresValue(delivery.messageID.map(Self.clean)),
            .json(try Self.clean(delivery.headers)), keepsBody ? .bytes(delivery.body) : .null,
            .int(Int(clamping: delivery.bodySize)), .text(state), .text(Self.clean(reason)), .int(tries),
            .int(failures), .int(wait.milliseconds), .bytes(Array(delivery.body.prefix(Self.shownOfLong))),
        ]
    }

    /// A text as PostgreSQL can hold it, and no longer than somebody reads.
    fileprivate static func clean(_ text: String) -> String {
        text.cut(toBytes: 1_000).replacing("\0", with: "\u{FFFD}")
    }

    private static func clean(_ headers: [String: String]) throws -> String {  // ours
        let headers = Dictionary(
            headers.map { ($0.replacing("\0", with: "\u{FFFD}"), $1.replacing("\0", with: "\u{FFFD}")) },
            uniquingKeysWith: { first, _ in first })
        return String(decoding: try JSONEncoder().encode(headers), as: UTF8.self)
    }
}

extension NewLetter {
    fileprivate struct Identity: Hashable {
        let queue: String
        let messageID: String?
        let body: [UInt8]
    }

    fileprivate var identity: Identity {
        Identity(queue: delivery.queue, messageID: delivery.messageID, body: delivery.body)
    }
}

extension [NewLetter] {
    /// Each message once: one statement cannot meet a row that it has just made.
    fileprivate var distinct: [NewLetter] {
        var seen: Set<NewLetter.Identity> = []
        return filter { seen.insert($0.identity).inserted }
    }
}
