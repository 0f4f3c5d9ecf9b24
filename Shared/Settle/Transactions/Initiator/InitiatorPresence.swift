import SettlePostgres
import Synchronization

/// Whether the process that began a global transaction is still there.
///
/// Each initiating process holds a session's advisory lock in the initiator's database, under a number that its XIDs
/// carry. PostgreSQL frees it when the connection ends, however the process ended; so any replica that is asked about an
/// XID can see whether its process is gone. It only decides how soon an abort comes: one that comes too soon, as the
/// connection was lost and not the process, is as safe as any, and one too late comes at the deadline.
final class InitiatorPresence: Sendable {
    /// Tells these locks from others of the database: "sett" in ASCII. (Locks under one number of 64 bits are others.)
    private static let lockClass = 0x7365_7474

    private static let holders = """
        FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 AND granted AND classid = $1::bigint::oid
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        """

    private let database: PostgresDatabase
    private let number = Atomic<UInt16>(0)

    init(database: PostgresDatabase) {
        self.database = database
    }

    /// This process's number; 0 as long as it has none.
    var process: UInt16 { number.load(ordering: .acquiring) }

    /// Takes the lock if no connection of this process holds it, or holds it any more. One connection of the pool does.
    func renew() async throws {
        let mine = process
        if mine != 0 {
            _ = try await take(mine, otherwise: true)
            return
        }
        // Numbers are few, and another process may have drawn the same.
        for _ in 1...10 {
            let drawn = UInt16.random(in: 1...UInt16.max)
            if try await take(drawn, otherwise: false) {
                number.store(drawn, ordering: .releasing)
                return
            }
        }
    }

    /// Those of `xids` that nobody will decide any more, as their process is gone, or never was one of these.
    func left(_ xids: [XID]) async throws -> Set<XID> {
        let rows = try await database.query("SELECT objid::bigint \(Self.holders)", [.int(Self.lockClass)])
        let present = Set(try rows.map { try $0.decode(Int.self, at: 0) })
        return Set(xids.filter { $0.process.map { $0 != 0 && !present.contains(Int($0)) } ?? true })
    }

    /// - Parameter otherwise: the answer when somebody holds it.
    private func take(_ number: UInt16, otherwise: Bool) async throws -> Bool {
        let rows = try await database.query(
            """
            SELECT CASE WHEN EXISTS (SELECT \(Self.holders) AND objid = $2::bigint::oid) THEN $3::bool
                   ELSE pg_try_advisory_lock($1::bigint::int, $2::bigint::int) END
            """, [.int(Self.lockClass), .int(Int(number)), .bool(otherwise)])
        return try rows.first?.decode(Bool.self, at: 0) ?? false
    }
}
