import Foundation
import Postgres
import Synchronization
import Testing

@Suite("Transactions", .enabled(if: TestServer.isAvailable))
struct TransactionTests {
    private struct Stop: Error {}

    private func withTable<R>(_ body: (PostgresDatabase) async throws -> R) async throws -> R {
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

    @Test("COPY is refused and the connection lives on")
    func copy() async throws {
        try await withTable { (database) async throws in
            for sql in ["COPY t FROM STDIN", "COPY t TO STDOUT"] {
                #expect(try await failure { try await database.query(sql) }.kind == .invalidParameter)
                #expect(try await failure { try await database.script(sql) }.kind == .invalidParameter)
            }
            #expect(try await ids(database).isEmpty)
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
