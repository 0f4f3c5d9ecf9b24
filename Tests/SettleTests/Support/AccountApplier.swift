import SettleCore
import SettlePostgres
import Settle

/// A receiver whose tasks lock a row each: the account that they add to.
struct AccountApplier: TaskApplier {
    struct Entry: Codable, Sendable {
        let key: String
        let account: String
    }

    static let tables = """
        CREATE TABLE account (name text PRIMARY KEY, entries bigint NOT NULL DEFAULT 0);
        INSERT INTO account (name) VALUES ('a'), ('b'), ('c'), ('d');
        """

    let database: PostgresDatabase
    /// Whether it says which rows it locks.
    var names = true

    func dedupKey(of body: Entry) -> String { body.key }
    func check(_ body: Entry) throws {}
    func rows(of body: Entry) -> [String] { names ? [body.account] : [] }

    func held(among rows: [String]) async throws -> Set<ByteKey> {
        try await RowProbe(database, table: "account", key: "name").held(among: rows)
    }

    func apply(_ tasks: [ReceivedTask<Entry>]) async throws -> [TaskOutcome] {
        try await decideAll(tasks.map(\.body)) { entries in
            try await database.query(
                """
                WITH input AS (
                    SELECT * FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS i (key, account, n)),
                locked AS (
                    SELECT name FROM account WHERE name IN (SELECT account FROM input) ORDER BY name FOR NO KEY UPDATE),
                added AS (
                    INSERT INTO ledger (key, amount) SELECT key, 1 FROM input JOIN locked ON name = account ORDER BY key
                    ON CONFLICT DO NOTHING RETURNING key),
                counted AS (
                    UPDATE account SET entries = entries + a.number
                    FROM (SELECT account, count(*) AS number FROM input JOIN added USING (key) GROUP BY account) a
                    WHERE name = a.account)
                SELECT added.key IS NOT NULL, ledger.key IS NOT NULL
                FROM input LEFT JOIN added USING (key) LEFT JOIN ledger ON ledger.key = input.key ORDER BY n
                """, [.texts(entries.map(\.key)), .texts(entries.map(\.account))]
            ).map { row -> TaskOutcome? in
                if try row.decode(Bool.self, at: 0) { return .applied }
                return try row.decode(Bool.self, at: 1) ? .duplicate(.finished) : nil
            }
        }
    }
}
