import Foundation
import SettlePostgres
import SettleTestSupport
import Testing

@Suite("Queries", .enabled(if: TestServer.isAvailable))
struct QueryTests {
    @Test("every kind of value comes back as it went")
    func values() async throws {
        try await withDatabase { database in
            let id = UUID()
            let text = "O'Reilly \\ \"quoted\" {curly} NULL – Grüße 🫖\n\t"
            let bytes = [UInt8](0...255)
            let date = Date(timeIntervalSince1970: 1_700_000_000.123456)
            let rows = try await database.query(
                """
                SELECT $1::text AS text, $2::bigint AS number, $3::boolean AS truth, $4::float8 AS real, $5::uuid AS id,
                    $6::bytea AS bytes, $7::timestamptz AS date, $8::jsonb->>'a' AS json, $9::int AS nothing
                """,
                [
                    .text(text), .int(.min), true, 0.1, .uuid(id), .bytes(bytes), .date(date), .json(#"{"a": "b"}"#),
                    nil,
                ])
            let row = try #require(rows.first)
            #expect(rows.count == 1 && rows.affected == 1)
            #expect(try row.decode(String.self, "text") == text)
            #expect(try row.decode(Int.self, "number") == .min)
            #expect(try row.decode(Bool.self, "truth"))
            #expect(try row.decode(Double.self, "real") == 0.1)
            #expect(try row.decode(UUID.self, "id") == id)
            #expect(try row.decode([UInt8].self, "bytes") == bytes)
            #expect(abs(try row.decode(Date.self, "date").timeIntervalSince(date)) < 0.000_001)
            #expect(try row.decode(String.self, "json") == "b")
            #expect(try row.decode(Int?.self, "nothing") == nil)
            #expect(try row.decode(Int64?.self, "number") == .min)
        }
    }

    @Test("special numbers come back")
    func doubles() async throws {
        try await withDatabase { database in
            for value in [Double.infinity, -.infinity, .leastNonzeroMagnitude, .greatestFiniteMagnitude, -0.0, 0.1] {
                let rows = try await database.query("SELECT $1::float8 AS value", [.double(value)])
                #expect(try rows[0].decode(Double.self, "value") == value)
            }
            let nan = try await database.query("SELECT $1::float8 AS value", [.double(.nan)])
            #expect(try nan[0].decode(Double.self, "value").isNaN)
        }
    }

    @Test("arrays keep quotes, backslashes, NULL, unicode and emptiness")
    func arrays() async throws {
        try await withDatabase { database in
            let texts: [String?] = [
                "plain", "", nil, "NULL", "\"", "\\", "{}", "a,b", "Größe 🫖", " padded ", "line\nbreak",
            ]
            let rows = try await database.query(
                "SELECT * FROM unnest($1::text[]) WITH ORDINALITY AS t(value, place) ORDER BY place", [.texts(texts)])
            #expect(try rows.map { try $0.decode(String?.self, "value") } == texts)
            let numbers: [Int?] = [.min, nil, 0, .max]
            let more = try await database.query("SELECT unnest($1::bigint[]) AS value", [.ints(numbers)])
            #expect(try more.map { try $0.decode(Int?.self, "value") } == numbers)
            let truths = try await database.query("SELECT unnest($1::bool[]) AS value", [.bools([true, false])])
            #expect(try truths.map { try $0.decode(Bool.self, "value") } == [true, false])
            let ids = [UUID(), UUID()]
            let uuids = try await database.query("SELECT unnest($1::uuid[]) AS value", [.uuids(ids)])
            #expect(try uuids.map { try $0.decode(UUID.self, "value") } == ids)
            for empty in [PostgresValue.texts([]), .ints([]), .bools([]), .uuids([])] {
                #expect(try await database.query("SELECT unnest($1::text[])", [empty]).isEmpty)
            }
        }
    }

    @Test("a text with a NUL byte is refused, not cut short")
    func nul() async throws {
        try await withDatabase { (database) async throws in
            for value in [PostgresValue.text("a\0b"), .texts(["fine", "\0"])] {
                let refused = try await failure { try await database.query("SELECT $1", [value]) }
                #expect(refused.kind == .invalidParameter)
            }
            #expect(try await failure { try await database.query("SELECT 1\0") }.kind == .invalidParameter)
            // In JSON the escape is text to us; jsonb refuses it itself.
            let json = try await failure { try await database.query("SELECT $1::jsonb", [.json(#""\u0000""#)]) }
            #expect(json.kind == .server && json.sqlState == "22P05")
        }
    }

    @Test("too many parameters are refused before anything is sent")
    func tooMany() async throws {
        try await withDatabase { (database) async throws in
            let values = [PostgresValue](repeating: 1, count: 65_536)
            #expect(try await failure { try await database.query("SELECT 1", values) }.kind == .invalidParameter)
            #expect(try await database.query("SELECT 1").count == 1)
        }
    }

    @Test("what does not fit the type asked for is a decoding error")
    func decoding() async throws {
        try await withDatabase { database in
            let rows = try await database.query("SELECT 'x' AS word, NULL::int AS nothing, 9223372036854775808 AS big")
            for column in ["word", "nothing", "big", "missing"] {
                let error = #expect(throws: PostgresError.self) { try rows[0].decode(Int.self, column) }
                #expect(error?.kind == .decoding && error?.isUnavailable == false)
            }
            #expect(try rows[0].decode(Double.self, "big") == 9_223_372_036_854_775_808)
        }
    }

    @Test("a server's error keeps its code, constraint, detail and statement")
    func serverError() async throws {
        try await withDatabase { database in
            try await database.script("CREATE TABLE t (id int CONSTRAINT t_key PRIMARY KEY); INSERT INTO t VALUES (1)")
            let error = try await failure { try await database.query("INSERT INTO t VALUES ($1)", [1]) }
            #expect(error.kind == .server && error.sqlState == "23505" && error.constraint == "t_key")
            #expect(error.detail == "Key (id)=(1) already exists." && error.statement == "INSERT INTO t VALUES ($1)")
            #expect(!error.isUnavailable && !error.isSerializationConflict)
        }
    }

    @Test("a deferred constraint fails an autocommitted statement at its commit")
    func deferred() async throws {
        try await withDatabase { database in
            try await database.script(
                """
                CREATE TABLE parent (id int PRIMARY KEY);
                CREATE TABLE child (parent int CONSTRAINT fk REFERENCES parent DEFERRABLE INITIALLY DEFERRED)
                """)
            let error = try await failure { try await database.query("INSERT INTO child VALUES (1)") }
            #expect(error.kind == .server && error.sqlState == "23503" && error.constraint == "fk")
            let transaction = try await failure {
                try await database.transaction { $0.add("INSERT INTO child VALUES (1)") }
            }
            #expect(transaction.sqlState == "23503")
            #expect(try await database.query("SELECT * FROM child").isEmpty)
        }
    }

    @Test("a failure at the commit itself costs neither the connection nor what it has prepared")
    func failedCommit() async throws {
        try await withDatabase { database in
            try await database.script(
                """
                CREATE TABLE parent (id int PRIMARY KEY);
                CREATE TABLE child (parent int REFERENCES parent DEFERRABLE INITIALLY DEFERRED)
                """)
            let session = """
                SELECT pg_backend_pid(), (SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE 'INSERT%')
                """
            let insert = "INSERT INTO child VALUES ($1)"
            _ = try await failure { try await database.query(insert, [1]) }
            let before = try await database.query(session)[0]
            #expect(try before.decode(Int.self, at: 1) == 1)
            for _ in 1...3 {
                #expect(try await failure { try await database.query(insert, [1]) }.sqlState == "23503")
                #expect(
                    try await failure { try await database.transaction { $0.add(insert, [1]) } }.sqlState == "23503")
                let explicit = try await failure {
                    try await database.transaction { transaction in
                        _ = try transaction.query(insert, [1])
                        transaction.add(insert, [2])
                    }
                }
                #expect(explicit.sqlState == "23503" && explicit.kind == .server)
                let after = try await database.query(session)[0]
                #expect(try after.decode(Int.self, at: 0) == before.decode(Int.self, at: 0))
                #expect(try after.decode(Int.self, at: 1) == 1)
            }
        }
    }

    @Test("a serialization failure at the commit, likewise")
    func failedSerialization() async throws {
        try await withDatabase(connections: 2) { database in
            try await database.script("CREATE TABLE t (n int)")
            let pids = """
                SELECT array_agg(pid ORDER BY pid)::text FROM pg_stat_activity
                WHERE datname = current_database() AND backend_type = 'client backend'
                """
            try await eventually("both are there") {
                try await database.query(pids)[0].decode(String.self, at: 0).contains(",")
            }
            let before = try await database.query(pids)[0].decode(String.self, at: 0)
            let met = [DispatchSemaphore(value: 0), DispatchSemaphore(value: 0)]
            // Each reads what the other writes; whoever commits last is refused.
            let errors = await withTaskGroup(of: PostgresError?.self) { group in
                for side in 0...1 {
                    group.addTask {
                        do {
                            try await database.transaction { transaction in
                                transaction.add("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
                                _ = try transaction.query("SELECT count(*) FROM t")
                                met[side].signal()
                                _ = met[1 - side].wait(timeout: .now() + 10)
                                transaction.add("INSERT INTO t VALUES (1)")
                            }
                            return nil
                        } catch {
                            return error as? PostgresError
                        }
                    }
                }
                return await group.reduce(into: [PostgresError]()) { if let error = $1 { $0.append(error) } }
            }
            #expect(errors.count == 1 && errors.first?.isSerializationConflict == true)
            #expect(try await database.query(pids)[0].decode(String.self, at: 0) == before)
        }
    }

    @Test("PGDATESTYLE, PGTZ and PGOPTIONS do not change how values are read, whatever else they do")
    func environment() async {
        // In a process of its own, since the environment belongs to all that a process does.
        await #expect(processExitsWith: .success) {
            unsafe setenv("PGDATESTYLE", "SQL, DMY", 1)
            unsafe setenv("PGTZ", "Asia/Tokyo", 1)
            unsafe setenv("PGOPTIONS", "-c bytea_output=escape -c IntervalStyle=sql_standard", 1)
            try await withDatabase { database in
                let read = """
                    SELECT '2024-02-03 04:05:06+00'::timestamptz AS date, '\\x00ff'::bytea AS bytes,
                        '1 day 2 hours'::interval::text AS interval, current_setting('TimeZone') AS zone
                    """
                let odd = Migration(name: "m", sql: "SET DateStyle = German")
                try await PostgresMigrator.apply([odd], set: "s", on: database)
                for _ in 1...2 {
                    let row = try await database.query(read)[0]
                    #expect(try row.decode(Date.self, "date") == Date(timeIntervalSince1970: 1_706_933_106))
                    #expect(try row.decode([UInt8].self, "bytes") == [0, 255])
                    #expect(try row.decode(String.self, "interval") == "1 day 02:00:00")
                    #expect(try row.decode(String.self, "zone") == "UTC")
                }
            }
        }
    }

    @Test("dates: the calendar's edges, read and written")
    func dates() async throws {
        let edges: [(text: String, seconds: Double)] = [
            ("1970-01-01 00:00:00+00", 0), ("1969-12-31 23:59:59.5+00", -0.5),
            ("2000-02-29 12:00:00+05:30", 951_805_800), ("2100-03-01 00:00:00-11", 4_107_582_000),
            ("0001-01-01 00:00:00+00", -62_135_596_800), ("0044-03-15 00:00:00+00 BC", -63_517_824_000),
            ("12024-01-01 00:00:00+00", 317_273_587_200),
            // The first and the last one that PostgreSQL can hold.
            ("4714-11-24 00:00:00+00 BC", -210_866_803_200), ("294276-12-31 23:59:59+00", 9_224_318_015_999),
        ]
        try await withDatabase { database in
            for (text, seconds) in edges {
                let rows = try await database.query(
                    "SELECT $1::timestamptz AS read, $2::timestamptz = $1::timestamptz AS same",
                    [.text(text), .date(Date(timeIntervalSince1970: seconds))])
                #expect(try rows[0].decode(Date.self, "read") == Date(timeIntervalSince1970: seconds), "\(text)")
                #expect(try rows[0].decode(Bool.self, "same"), "\(text)")
            }
            let rows = try await database.query(
                """
                SELECT 'infinity'::timestamptz AS never, '-infinity'::date AS always, '5874897-12-31'::date AS last,
                    '2024-02-03'::date AS day
                """)
            for column in ["never", "always"] {
                let error = #expect(throws: PostgresError.self) { try rows[0].decode(Date.self, column) }
                #expect(error?.kind == .decoding)
            }
            #expect(try rows[0].decode(Date.self, "last") > .distantFuture)
            for date in [Date.distantFuture, .distantPast] {
                let echo = try await database.query("SELECT $1::timestamptz", [.date(date)])
                #expect(try echo[0].decode(Date.self, at: 0) == date)
            }
            for seconds in [Double.infinity, .nan, 1e18] {
                let value = PostgresValue.date(Date(timeIntervalSince1970: seconds))
                let error = try await failure { try await database.transaction { $0.add("SELECT $1::date", [value]) } }
                #expect(error.kind == .invalidParameter)
            }
            #expect(try rows[0].decode(Date.self, "day") == Date(timeIntervalSince1970: 1_706_918_400))
        }
    }

    @Test("a transaction opened by hand does not catch the next job")
    func strayBegin() async throws {
        try await withDatabase { database in
            _ = try await database.query("BEGIN")
            _ = try await database.query("CREATE TABLE t (id int)")
            // One connection only, so a transaction left open would be seen as such.
            let rows = try await database.query(
                "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'"
            )
            #expect(try rows[0].decode(Int.self, "n") == 0)
        }
    }
}
