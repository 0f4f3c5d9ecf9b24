import Foundation
import SettlePostgres
import SettleTestSupport
import Testing

@Suite("Migrations", .enabled(if: TestServer.isAvailable))
struct MigratorTests {
    private let first = Migration(
        name: "0001_first", sql: "CREATE TABLE a (id int);\n-- two; statements\nINSERT INTO a VALUES (1);")
    private let second = Migration(name: "0002_second", sql: "INSERT INTO a VALUES (2); SET search_path TO nowhere")

    private func sum(_ database: PostgresDatabase) async throws -> Int {
        try await database.query("SELECT sum(id) AS sum FROM public.a")[0].decode(Int.self, "sum")
    }

    @Test("each is applied once and recorded, and leaves the session as it was")
    func once() async throws {
        try await withDatabase { database in
            #expect(try await PostgresMigrator.apply([first], set: "s", on: database) == ["0001_first"])
            #expect(try await PostgresMigrator.apply([first, second], set: "s", on: database) == ["0002_second"])
            #expect(try await PostgresMigrator.apply([first, second], set: "s", on: database).isEmpty)
            #expect(try await sum(database) == 3)
            let path = try await database.query("SHOW search_path")
            #expect(try path[0].decode(String.self, "search_path").contains("public"))
            let records = try await database.query(
                #"SELECT checksum FROM settle.migration WHERE "set" = 's' ORDER BY name"#)
            #expect(try records.map { try $0.decode(String.self, "checksum") } == [first.checksum, second.checksum])
        }
    }

    @Test("a set with a schema is applied in it, once in each schema, and what is in the way elsewhere is not met")
    func schemas() async throws {
        try await withDatabase { database in
            let path = try await database.query("SHOW search_path")[0].decode(String.self, at: 0)
            let sets = try ["one", "public", #"The "other""#].map {
                MigrationSet("s", schema: try SchemaName($0), [first, second])
            }
            try await database.script("CREATE TABLE a (name text); CREATE SCHEMA one")
            // Its table is in the way in public, and only there.
            await #expect(throws: PostgresMigrationError.self) {
                try await PostgresMigrator.apply(sets[1], on: database)
            }
            try await database.script("DROP TABLE a")
            for set in sets {
                let error = await #expect(throws: PostgresMigrationError.self) {
                    try await PostgresMigrator.verify(set, on: database)
                }
                #expect(error?.isPermanent == false)
                #expect(try await PostgresMigrator.apply(set, on: database) == ["0001_first", "0002_second"])
                #expect(try await PostgresMigrator.apply(set, on: database).isEmpty)
                try await PostgresMigrator.verify(set, on: database)
                let table = "\(try #require(set.schema).quoted).a"
                #expect(try await database.query("SELECT sum(id) FROM \(table)")[0].decode(Int.self, at: 0) == 3)
            }
            #expect(try await database.query("SHOW search_path")[0].decode(String.self, at: 0) == path)
            let records = try await database.query(#"SELECT DISTINCT "set" FROM settle.migration ORDER BY 1"#)
            #expect(
                Set(try records.map { try $0.decode(String.self, at: 0) }) == ["s", "s@one", #"s@The "other""#])
            // In public it is the set as it was before there were schemas.
            #expect(try await PostgresMigrator.apply([first, second], set: "s", on: database).isEmpty)
            let altered = MigrationSet("s", schema: sets[0].schema, [Migration(name: first.name, sql: "SELECT 1")])
            let changed = await #expect(throws: PostgresMigrationError.self) {
                try await PostgresMigrator.verify(altered, on: database)
            }
            #expect(changed?.isPermanent == true)
        }
    }

    @Test("a schema that the role may not use is refused: its tables would go into the next one of the search path")
    func unusable() async throws {
        try await withNewDatabase { name in
            let database = try PostgresDatabase(TestServer.configuration(database: name), logger: quiet)
            try await serving([database]) {
                let role = "settle_other_\(name.suffix(12))"
                try await database.script(
                    "CREATE SCHEMA theirs; CREATE ROLE \(role); GRANT CREATE ON SCHEMA public TO \(role)")
                try await PostgresMigrator.apply([], set: "s", on: database)
                try await database.script("GRANT USAGE ON SCHEMA settle TO \(role)")
                try await database.script("GRANT ALL ON settle.migration TO \(role)")
                let set = MigrationSet("s", schema: try SchemaName("theirs"), [first])
                var configuration = try TestServer.configuration(database: name)
                configuration.connections = 1
                let other = PostgresDatabase(configuration, logger: quiet)
                try await serving([other]) {
                    _ = try await other.script("SET ROLE \(role)")
                    await #expect(throws: PostgresMigrationError.self) {
                        try await PostgresMigrator.apply(set, on: other)
                    }
                }
                #expect(
                    try await database.query("SELECT to_regclass('public.a')::text")[0].decode(String?.self, at: 0)
                        == nil)
                try await database.script("DROP OWNED BY \(role); DROP ROLE \(role)")
            }
        }
    }

    @Test("four processes at once, each with its own connections")
    func concurrent() async throws {
        try await withNewDatabase { name in
            let migrations = [first, second]
            try await withThrowingTaskGroup { group in
                for _ in 1...4 {
                    group.addTask {
                        let database = try PostgresDatabase(TestServer.configuration(database: name), logger: quiet)
                        try await serving([database]) {
                            try await PostgresMigrator.apply(migrations, set: "s", on: database)
                            #expect(try await sum(database) == 3)
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test("one that was changed is refused by name, before any other is applied")
    func changed() async throws {
        try await withDatabase { database in
            try await PostgresMigrator.apply([first], set: "s", on: database)
            let altered = Migration(name: first.name, sql: first.sql + " ")
            let error = await #expect(throws: PostgresMigrationError.self) {
                try await PostgresMigrator.apply([altered, second], set: "s", on: database)
            }
            #expect(error?.description.contains("0001_first") == true)
            #expect(try await sum(database) == 1)
            // Another set may use the same names.
            try await PostgresMigrator.apply([Migration(name: first.name, sql: "SELECT 1")], set: "t", on: database)
        }
    }

    @Test("one that fails is undone as a whole and stops those behind it")
    func failing() async throws {
        try await withDatabase { database in
            let broken = Migration(name: "0002_broken", sql: "INSERT INTO a VALUES (5); SELECT 1/0")
            let error = await #expect(throws: PostgresMigrationError.self) {
                try await PostgresMigrator.apply([first, broken, second], set: "s", on: database)
            }
            guard case .failed("s", "0002_broken", let cause) = error else {
                throw Unexpected("\(String(describing: error))")
            }
            #expect(cause.sqlState == "22012")
            #expect(try await sum(database) == 1)
            for sql in ["COMMIT", "ROLLBACK", "INSERT INTO a VALUES (7); COMMIT; SELECT 1"] {
                await #expect(throws: PostgresMigrationError.self) {
                    try await PostgresMigrator.apply([Migration(name: "ends", sql: sql)], set: "s", on: database)
                }
            }
            await #expect(throws: PostgresMigrationError.self) {
                try await PostgresMigrator.apply([first, first], set: "u", on: database)
            }
        }
    }

    @Test("one that meets a lock gives up soon, and can be applied once the lock is gone", .timeLimit(.minutes(1)))
    func blocked() async throws {
        try await withNewDatabase { name in
            let database = try PostgresDatabase(TestServer.configuration(database: name), logger: quiet)
            let holder = try PostgresDatabase(TestServer.configuration(database: name), logger: quiet)
            try await serving([database]) {
                try await serving([holder]) {
                    try await PostgresMigrator.apply([first], set: "s", on: database)
                    // No process has it in hand, and nothing but its own end gives the table free.
                    let gid = "migrator_\(name)"
                    try await holder.transaction(ending: .prepare(gid: gid)) { $0.add("INSERT INTO a VALUES (4)") }
                    let altering = Migration(name: "0003_alter", sql: "ALTER TABLE a ALTER id TYPE bigint")
                    let error = await #expect(throws: PostgresMigrationError.self) {
                        try await PostgresMigrator.apply(
                            [first, altering], set: "s", on: database, lockTimeout: .milliseconds(200))
                    }
                    #expect(error?.isPermanent == false)
                    #expect(error?.description.contains("0003_alter") == true)
                    _ = try await holder.query("COMMIT PREPARED '\(gid)'")
                    #expect(
                        try await PostgresMigrator.apply([first, altering], set: "s", on: database) == ["0003_alter"])
                    #expect(try await sum(database) == 5)
                }
            }
        }
    }

    @Test("rows that undecided global transactions hold make it wait, too", arguments: ["ST001", "ST002"])
    func held(state: String) async throws {
        try await withDatabase { database in
            let sql = "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '\(state)'; END $$"
            let error = await #expect(throws: PostgresMigrationError.self) {
                try await PostgresMigrator.apply([Migration(name: "held", sql: sql)], set: "s", on: database)
            }
            #expect(error?.isPermanent == false)
        }
    }
}
