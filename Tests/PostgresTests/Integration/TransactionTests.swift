import Foundation
import SettlePostgres
import Synchronization
import Testing

@Suite("Transactions", .enabled(if: TestServer.isAvailable))
struct TransactionTests {
    private struct Stop: Error {}

    private func withTable<R: Sendable>(_ body: (PostgresDatabase) async throws -> R) async throws -> R {
        try await withDatabase { database in
            try await database.script("CREATE TABLE t (id int PRIMARY KEY CHECK (id < 1000), note text)")
            return try await body(database)
        }
    }

    private func ids(_ database: PostgresDatabase) async throws -> [Int] {
        try await database.query("SELECT id FROM t ORDER BY id").map { try $0.decode(Int.self, "id") }
    }

    @Test("queries see what was added before them, and tickets give rows at any time")
    func mixed() async throws {
        try await withTable { database in
            let (sum, written) = try await database.transaction { transaction in
                let first = transaction.add("INSERT INTO t VALUES ($1), ($2) RETURNING id", [1, 2])
                let sum = try transaction.query("SELECT sum(id) AS sum FROM t")[0].decode(Int.self, "sum")
                let second = transaction.add("INSERT INTO t VALUES ($1)", [3])
                return (sum, [try transaction.rows(of: first).count, try transaction.rows(of: second).affected])
            }
            #expect(sum == 3 && written == [2, 1])
            #expect(try await ids(database) == [1, 2, 3])
        }
    }

    @Test("a savepoint undoes what was done since it, and what was asked for after the commit; what was before stays")
    func savepoints() async throws {
        try await withTable { database in
            let done = Mutex<[Int]>([])
            let found = try await database.transaction { transaction in
                transaction.add("INSERT INTO t VALUES ($1)", [1])
                transaction.afterCommit { _ in done.withLock { $0.append(1) } }
                #expect(throws: Stop.self) {
                    try transaction.savepoint {
                        transaction.add("INSERT INTO t VALUES ($1)", [2])
                        transaction.afterCommit { _ in done.withLock { $0.append(2) } }
                        throw Stop()
                    }
                }
                return try transaction.savepoint {
                    transaction.add("INSERT INTO t VALUES ($1)", [3])
                    try? transaction.savepoint {
                        transaction.add("INSERT INTO t VALUES ($1)", [4])
                        throw Stop()
                    }
                    transaction.add("INSERT INTO t VALUES ($1)", [5])
                    return try transaction.query("SELECT count(*) AS n FROM t")[0].decode(Int.self, "n")
                }
            }
            #expect(found == 3)
            #expect(try await ids(database) == [1, 3, 5])
            #expect(done.withLock { $0 } == [1])
        }
    }

    @Test("an error of the server inside a savepoint fails the whole transaction")
    func savepointFails() async throws {
        try await withTable { database in
            let error = try await failure {
                try await database.transaction { transaction in
                    transaction.add("INSERT INTO t VALUES ($1)", [1])
                    try? transaction.savepoint { _ = try transaction.query("INSERT INTO t VALUES ($1)", [1000]) }
                    transaction.add("INSERT INTO t VALUES ($1)", [2])
                }
            }
            #expect(error.sqlState == "23514")
            #expect(try await ids(database).isEmpty)
        }
    }

    @Test("an error at any position rolls all back and is the first one", arguments: [true, false])
    func errors(isExplicit: Bool) async throws {
        try await withTable { database in
            for position in 0..<5 {
                let error = try await failure {
                    try await database.transaction { transaction in
                        if isExplicit { transaction.add("SAVEPOINT makes_it_explicit") }
                        for index in 0..<5 {
                            let id = index == position ? 1000 + index : index
                            transaction.add("INSERT INTO t VALUES ($1)", [.int(id)])
                        }
                        transaction.add("this is not SQL")
                    }
                }
                #expect(error.kind == .server && error.sqlState == "23514")
                #expect(error.statement == "INSERT INTO t VALUES ($1)")
                #expect(try await ids(database).isEmpty)
                // What was skipped in the aborted pipeline was not prepared, and is not taken for it.
                try await database.transaction { $0.add("INSERT INTO t VALUES ($1)", [7]) }
                #expect(try await ids(database) == [7])
                _ = try await database.query("DELETE FROM t")
            }
        }
    }

    @Test("a statement first prepared behind an error is prepared when it comes again")
    func unprepared() async throws {
        try await withTable { database in
            for _ in 1...3 {
                _ = try await failure {
                    try await database.transaction { transaction in
                        transaction.add("SELECT 1/$1::int", [0])
                        transaction.add("INSERT INTO t VALUES ($1, 'behind')", [1])
                    }
                }
            }
            try await database.transaction { $0.add("INSERT INTO t VALUES ($1, 'behind')", [1]) }
            #expect(try await ids(database) == [1])
        }
    }

    @Test("the body's own error rolls back and comes out")
    func bodyThrows() async throws {
        try await withTable { (database) async throws in
            await #expect(throws: Stop.self) {
                try await database.transaction { transaction in
                    _ = try transaction.query("INSERT INTO t VALUES (1)")
                    throw Stop()
                }
            }
            await #expect(throws: Stop.self) {
                try await database.transaction { transaction in
                    transaction.add("INSERT INTO t VALUES (1)")
                    throw Stop()
                }
            }
            #expect(try await ids(database).isEmpty)
        }
    }

    @Test("an error that the body swallows still rolls back")
    func swallowed() async throws {
        try await withTable { database in
            let error = try await failure {
                try await database.transaction { transaction in
                    transaction.add("INSERT INTO t VALUES (1)")
                    do { _ = try transaction.query("SELECT 1/0") } catch {}
                    transaction.add("INSERT INTO t VALUES (2)")
                }
            }
            #expect(error.sqlState == "22012")
            #expect(try await ids(database).isEmpty)
        }
    }

    @Test("a parameter that cannot be sent stops the whole transaction")
    func invalidParameter() async throws {
        try await withTable { database in
            let error = try await failure {
                try await database.transaction { transaction in
                    transaction.add("INSERT INTO t VALUES (1)")
                    transaction.add("INSERT INTO t VALUES (2, $1)", ["\0"])
                }
            }
            #expect(error.kind == .invalidParameter)
            #expect(try await ids(database).isEmpty)
        }
    }

    @Test("a ticket of another transaction is refused")
    func foreignTicket() async throws {
        try await withTable { database in
            let ticket = try await database.transaction { $0.add("SELECT 1") }
            let error = try await failure {
                try await database.transaction { transaction in
                    transaction.add("SELECT 2")
                    return try transaction.rows(of: ticket)
                }
            }
            #expect(error.kind == .invalidParameter)
        }
    }

    @Test("afterCommit runs before the call returns, with the rows, and never after a failure")
    func afterCommit() async throws {
        try await withTable { database in
            let seen = Mutex<[Int]>([])
            let box = Box(seen: seen)
            try await database.transaction { transaction in
                let ticket = transaction.add("INSERT INTO t VALUES (5) RETURNING id")
                transaction.afterCommit { committed in
                    box.append((try? committed.rows(of: ticket).first?.decode(Int.self, "id")) ?? -1)
                }
            }
            #expect(box.values == [5])
            _ = try await failure {
                try await database.transaction { transaction in
                    transaction.add("INSERT INTO t VALUES (5)")
                    transaction.afterCommit { _ in box.append(-2) }
                }
            }
            #expect(box.values == [5])
        }
    }

    private final class Box: Sendable {
        private let seen: Mutex<[Int]>
        init(seen: consuming Mutex<[Int]>) { self.seen = seen }
        var values: [Int] { seen.withLock { $0 } }
        func append(_ value: Int) { seen.withLock { $0.append(value) } }
    }

    @Test("an empty transaction costs nothing and succeeds")
    func empty() async throws {
        try await withTable { (database) async throws in
            #expect(try await database.transaction { _ in 5 } == 5)
        }
    }

    @Test("PREPARE TRANSACTION keeps the work for another connection to end", arguments: ["plain", "it's \\ odd"])
    func prepare(gid: String) async throws {
        try await withTable { database in
            let gid = gid + UUID().uuidString
            try await database.transaction(ending: .prepare(gid: gid)) { $0.add("INSERT INTO t VALUES (1)") }
            #expect(try await ids(database).isEmpty)
            let quoted = gid.replacingOccurrences(of: "'", with: "''")
            _ = try await database.query("COMMIT PREPARED '\(quoted)'")
            #expect(try await ids(database) == [1])
            try await database.transaction(ending: .prepare(gid: gid)) { _ in }
            _ = try await database.query("ROLLBACK PREPARED '\(quoted)'")
            // A failed one leaves nothing prepared.
            _ = try await failure {
                try await database.transaction(ending: .prepare(gid: gid)) { $0.add("INSERT INTO t VALUES (1)") }
            }
            #expect(try await database.query("SELECT * FROM pg_prepared_xacts WHERE gid = $1", [.text(gid)]).isEmpty)
        }
    }

    @Test("10,000 statements in one transaction, with replies larger than any buffer")
    func manyStatements() async throws {
        try await withTable { database in
            try await database.script("CREATE TABLE many (id int, filler text)")
            let total = try await database.transaction { transaction in
                let tickets = (0..<10_000).map { index in
                    transaction.add(
                        "INSERT INTO many VALUES ($1, $2) RETURNING filler",
                        [.int(index), .text(String(repeating: "x", count: 2_000))])
                }
                return try tickets.reduce(0) { try $0 + transaction.rows(of: $1).count }
            }
            #expect(total == 10_000)
            let rows = try await database.query("SELECT count(*) AS n FROM many")
            #expect(try rows[0].decode(Int.self, "n") == 10_000)
        }
    }

    @Test("1,000 different texts do not grow the server's cache without end")
    func manyTexts() async throws {
        try await withTable { database in
            for start in stride(from: 0, to: 1_000, by: 100) {
                try await database.transaction { transaction in
                    for index in start..<start + 100 { transaction.add("SELECT \(index) AS n") }
                }
            }
            let rows = try await database.query("SELECT count(*) AS n FROM pg_prepared_statements")
            #expect((1...256).contains(try rows[0].decode(Int.self, "n")))
            try await database.transaction { transaction in
                for index in 0..<1_000 { transaction.add("SELECT \(index) AS m") }
            }
        }
    }

    @Test("values of 5 MB, both ways")
    func bigValues() async throws {
        try await withTable { (database) async throws in
            let bytes = (0..<5_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
            let text = String(repeating: "ü\"\\", count: 1_250_000)
            let rows = try await database.query(
                "SELECT $1::bytea AS bytes, $2::text AS text, ($3::text[])[1] AS element",
                [.bytes(bytes), .text(text), .texts([text])])
            #expect(try rows[0].decode([UInt8].self, "bytes") == bytes)
            #expect(try rows[0].decode(String.self, "text") == text)
            #expect(try rows[0].decode(String.self, "element") == text)
        }
    }

    @Test("a plan made stale by a migration is made anew, unseen by the caller")
    func stalePlan() async throws {
        try await withTable { (database) async throws in
            #expect(try await database.query("SELECT * FROM t").columns == ["id", "note"])
            try await database.script("ALTER TABLE t ADD more int")
            #expect(try await database.query("SELECT * FROM t").columns == ["id", "note", "more"])
            try await database.transaction { $0.add("SELECT * FROM t") }
            try await database.script("ALTER TABLE t ADD again int")
            let columns = try await database.transaction { transaction in
                transaction.add("SAVEPOINT makes_it_explicit")
                return try transaction.query("SELECT * FROM t").columns
            }
            #expect(columns.count == 4)
            try await database.script("DEALLOCATE ALL")
            #expect(try await database.query("SELECT * FROM t").isEmpty)
        }
    }

    @Test("stale plans, several in one flush and in any flush: the caller never hears of them")
    func stalePlans() async throws {
        try await withDatabase(connections: 2) { (database) async throws in
            try await database.script("CREATE TABLE a (id int); CREATE TABLE b (id int); INSERT INTO a VALUES (1)")
            let runs = Counter()
            let (first, second) = ("SELECT * FROM a", "SELECT * FROM b")
            // On both connections at once, so that both have them prepared.
            func use() async throws {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 1...2 {
                        group.addTask {
                            try await database.transaction { transaction in
                                transaction.add(first)
                                transaction.add(second)
                                transaction.add("SELECT pg_sleep(0.05)")
                            }
                        }
                    }
                    try await group.waitForAll()
                }
            }
            for round in 1...3 {
                try await use()
                try await database.script("ALTER TABLE a ADD n\(round) int; ALTER TABLE b ADD n\(round) int")
                try await use()
                try await database.script("ALTER TABLE a ADD m\(round) int; ALTER TABLE b ADD m\(round) int")
                // In later flushes, with rows seen before: the whole closure runs again.
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 1...2 {
                        group.addTask {
                            let columns = try await database.transaction { transaction in
                                runs.increment()
                                _ = try transaction.query("SELECT pg_sleep(0.05)")
                                _ = try transaction.query("INSERT INTO b (id) VALUES (1)")
                                let one = try transaction.query(first).columns.count
                                transaction.add(second)
                                return [one, try transaction.query(second).columns.count]
                            }
                            #expect(columns == [1 + 2 * round, 1 + 2 * round])
                        }
                    }
                    try await group.waitForAll()
                }
                #expect(try await database.query("SELECT count(*) FROM b")[0].decode(Int.self, at: 0) == 2 * round)
            }
            #expect((6...12).contains(runs.value), "once, and at most once more")
        }
    }

    @Test("a transaction that makes its own plan stale works all the same")
    func ownStalePlan() async throws {
        try await withTable { (database) async throws in
            let columns = try await database.transaction { transaction in
                let before = try transaction.query("SELECT * FROM t").columns.count
                transaction.add("ALTER TABLE t ADD more int")
                return [before, try transaction.query("SELECT * FROM t").columns.count]
            }
            #expect(columns == [2, 3])
        }
    }

    @Test("prepared statements that somebody dropped, in any flush")
    func deallocated() async throws {
        try await withTable { (database) async throws in
            let insert = "INSERT INTO t VALUES ($1)"
            for id in stride(from: 1, through: 9, by: 3) {
                try await database.transaction { transaction in
                    _ = try transaction.query("SELECT 1")
                    transaction.add(insert, [.int(id)])
                    _ = try transaction.query("SELECT count(*) FROM t")
                    transaction.add(insert, [.int(id + 1)])
                }
                try await database.script("DEALLOCATE ALL")
                try await database.transaction { $0.add(insert, [.int(id + 2)]) }
                try await database.script("DEALLOCATE ALL")
            }
            #expect(try await ids(database) == Array(1...9))
        }
    }

    @Test(
        "COPY to or from the client is refused with nothing done, and the connection lives on",
        arguments: ["COPY t FROM STDIN", "COPY t TO STDOUT", "; /* all */ copy t to stdout"])
    func copy(sql: String) async throws {
        try await withTable { (database) async throws in
            let session = "SELECT pg_backend_pid()"
            let before = try await database.query(session)[0].decode(Int.self, at: 0)
            #expect(try await failure { try await database.query(sql) }.kind == .invalidParameter)
            for isExplicit in [true, false] {
                let error = try await failure {
                    try await database.transaction { transaction in
                        if isExplicit { _ = try transaction.query("INSERT INTO t VALUES (1)") }
                        transaction.add("INSERT INTO t VALUES (2)")
                        transaction.add(sql)
                    }
                }
                #expect(error.kind == .invalidParameter)
            }
            #expect(try await ids(database).isEmpty, "refused is not done")
            #expect(try await database.query(session)[0].decode(Int.self, at: 0) == before)
        }
    }

    @Test("in a script a COPY to the client is read past, and one from it fails like any statement")
    func copyInScript() async throws {
        try await withTable { (database) async throws in
            let session = "SELECT pg_backend_pid()"
            let before = try await database.query(session)[0].decode(Int.self, at: 0)
            try await database.script(
                """
                INSERT INTO t SELECT n, 'x' FROM generate_series(1, 900) AS n;
                COPY t TO STDOUT;
                INSERT INTO t VALUES (901)
                """)
            #expect(try await ids(database).count == 901)
            let error = try await failure {
                try await database.script("INSERT INTO t VALUES (902); COPY t FROM STDIN; INSERT INTO t VALUES (903)")
            }
            #expect(error.kind == .invalidParameter)
            #expect(try await ids(database).count == 901)
            #expect(try await database.query(session)[0].decode(Int.self, at: 0) == before)
        }
    }

    @Test("a connection that carried a large value gives its memory back, small ones leave it be")
    func memory() async throws {
        try await withTable { (database) async throws in
            func backend() async throws -> Int {
                try await database.query("SELECT pg_backend_pid()")[0].decode(Int.self, at: 0)
            }
            var before = try await backend()
            let small = String(repeating: "x", count: 100_000)
            for _ in 1...3 { _ = try await database.query("SELECT $1", [.text(small)]) }
            _ = try await database.query("SELECT repeat('x', 1000) FROM generate_series(1, 20000)")
            #expect(try await backend() == before)
            let large = String(repeating: "x", count: 16 * 1024 * 1024)
            _ = try await database.query("SELECT length($1)", [.text(large)])
            #expect(try await backend() != before && database.isUp)
            before = try await backend()
            _ = try await database.query("SELECT repeat('x', 16 * 1024 * 1024)")
            #expect(try await backend() != before)
        }
    }

    @Test("settings local to the transaction reach all of it and end with it")
    func localSettings() async throws {
        try await withTable { database in
            try await database.transaction { transaction in
                transaction.add("SELECT set_config('settle.test', 'here', true)")
                transaction.add("INSERT INTO t SELECT 1, current_setting('settle.test')")
            }
            let rows = try await database.query("SELECT note, current_setting('settle.test', true) AS after FROM t")
            #expect(try rows[0].decode(String.self, "note") == "here")
            #expect(try rows[0].decode(String?.self, "after") != "here")
        }
    }
}
