import Foundation
import SettlePostgres
import SettleTestSupport

/// Somebody who began a transaction, read something, and went to lunch: a psql in each database, idle in a transaction.
/// What is deleted or changed from then on must be kept for its snapshot.
struct SnapshotHolder {
    private static let name = "settle-bench-snapshot"

    private let sessions: [(child: Child, input: Int32)]

    /// Returns once all of them hold theirs.
    init(_ databases: BenchDatabases) async throws {
        let nowhere = URL(filePath: "/dev/null")
        sessions = try databases.clientEnvironments().map { environment in
            guard let (reader, writer) = Socket.pair() else { throw Pacemaker.NoDescriptors() }
            defer { close(reader) }
            let child = try Child(
                "/usr/bin/env", ["psql", "--no-psqlrc", "--quiet"],
                environment: environment.merging(["PGAPPNAME": Self.name]) { $1 }, input: reader, output: nowhere,
                errors: nowhere)
            _ = Socket.send(
                writer, Array("BEGIN ISOLATION LEVEL REPEATABLE READ;\nSELECT count(*) FROM pg_class;\n".utf8)[...])
            return (child, writer)
        }
        let count = sessions.count
        try await eventually("\(count) sessions hold a snapshot") {
            let held = try await databases.server.query(
                """
                SELECT count(*) FROM pg_stat_activity
                WHERE application_name = $1 AND state = 'idle in transaction' AND backend_xmin IS NOT NULL
                """, [.text(Self.name)])
            return try held[0].decode(Int.self, at: 0) == count
        }
    }

    /// Returns once nobody holds one any more.
    func end() async throws {
        for session in sessions { close(session.input) }
        try await eventually("the sessions end") { sessions.allSatisfy { $0.child.exit != nil } }
    }
}
