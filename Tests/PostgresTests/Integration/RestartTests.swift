import Foundation
import SettlePostgres
import SettleTestSupport
import Synchronization
import Testing

/// What the writers were told of each row.
private final class Ledger: Sendable {
    struct Entries {
        var done: Set<Int> = []
        var notDone: Set<Int> = []
        var unknown: Set<Int> = []
        var next = 0
    }

    private let entries = Mutex(Entries())

    var all: Entries { entries.withLock { $0 } }

    func nextID() -> Int {
        entries.withLock { entries in
            entries.next += 1
            return entries.next
        }
    }

    func record(_ id: Int, _ error: PostgresError?) {
        entries.withLock { entries in
            switch error?.kind {
            case nil: _ = entries.done.insert(id)
            case .commitUnknown: _ = entries.unknown.insert(id)
            default: _ = entries.notDone.insert(id)
            }
        }
    }
}

@Suite("A server that restarts", .enabled(if: TestServer.isAvailable && PrivatePostgres.programs != nil))
struct RestartTests {
    @Test("under load: what was done is there once, what was not done is not there", .timeLimit(.minutes(2)))
    func underLoad() async throws {
        try await PrivatePostgres.with { server in
            let ledger = Ledger()
            let database = try PostgresDatabase(PostgresConfiguration(url: server.url), logger: quiet)
            try await serving([database]) {
                // No key, so that a row written twice would be seen.
                try await database.script("CREATE TABLE t (id int NOT NULL)")
                let isOver = Counter()
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for writer in 0..<24 {
                        group.addTask {
                            while isOver.value == 0 { try await Self.write(writer, ledger, database) }
                        }
                    }
                    for signal in [SIGINT, SIGQUIT, SIGINT, SIGQUIT] {
                        let before = ledger.all.done.count
                        try await eventually("writes go on") { ledger.all.done.count > before + 200 }
                        try await server.stop(signal)
                        try await eventually("seen as away") { !database.isUp }
                        try await server.start()
                    }
                    let before = ledger.all.done.count
                    try await eventually("writes go on") { ledger.all.done.count > before + 200 }
                    isOver.increment()
                    try await group.waitForAll()
                }
                let rows = try await database.query("SELECT id FROM t")
                let found = try rows.map { try $0.decode(Int.self, "id") }
                let entries = ledger.all
                #expect(Set(found).count == found.count, "no row twice")
                #expect(entries.done.isSubset(of: found))
                #expect(entries.notDone.isDisjoint(with: found))
                #expect(Set(found).isSubset(of: entries.done.union(entries.unknown)))
                #expect(!entries.notDone.isEmpty)
            }

        }
    }

    /// Every third writer in each of the ways to write.
    private static func write(_ writer: Int, _ ledger: Ledger, _ database: PostgresDatabase) async throws {
        let id = ledger.nextID()
        do {
            switch writer % 3 {
            case 0: _ = try await database.query("INSERT INTO t VALUES ($1)", [.int(id)])
            case 1: try await database.transaction { $0.add("INSERT INTO t VALUES ($1)", [.int(id)]) }
            default:
                try await database.transaction { transaction in
                    _ = try transaction.query("SELECT count(*) FROM (SELECT FROM t LIMIT 5) AS few")
                    transaction.add("INSERT INTO t VALUES ($1)", [.int(id)])
                }
            }
            ledger.record(id, nil)
        } catch let error as PostgresError {
            ledger.record(id, error)
            guard error.isUnavailable else { throw error }
            // A writer that is refused at once must not spin.
            try await Task.sleep(for: .milliseconds(20))
        }
    }
}
