import ArgumentParser
import Foundation
import SettlePostgres
import SettleSchema
import SettleTestSupport
import Testing

@testable import SettleSchemaCommand

@Suite("settle-schema export")
struct ExportTests {
    private static let url = ProcessInfo.processInfo.environment["SETTLE_TEST_POSTGRES_URL"]
    private static let all = ["--tasks", "--transactions", "--at", "--set-aside", "--inbox", "--messages"]

    private func export(_ arguments: [String]) throws { try Export.parse(arguments).run() }

    /// The files that `arguments` write, with their texts, in the order in which a tool applies them.
    private func files(_ arguments: [String]) throws -> [(name: String, sql: String)] {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        defer { try? FileManager.default.removeItem(at: folder) }
        try export(arguments + [folder.path])
        // Again: nothing is to be done.
        try export(arguments + [folder.path])
        return try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted().map {
            ($0, try String(contentsOf: folder.appendingPathComponent($0), encoding: .utf8))
        }
    }

    @Test("the files are called by the migrations' numbers, and the prefix is the user's")
    func names() throws {
        let tasks = try files(["--tasks"]).map(\.name)
        #expect(tasks == ["V0001__settle_0001_tasks.sql", "V0019__settle_0019_task_options.sql"])
        let names = try files(["--transactions", "--set-aside", "--prefix", "V5."]).map(\.name)
        #expect(names.first == "V5.0002__settle_0002_transactions.sql")
        #expect(names.contains("V5.0007__settle_0007_set_aside.sql"))
    }

    @Test(
        "what cannot be written is refused before anything is",
        arguments: [[], ["--tasks", "--schema", ""], ["--tasks", "--schema", "pg_mine"], ["--all"]])
    func refused(arguments: [String]) {
        #expect(throws: (any Error).self) { try Export.parse(arguments) }
    }

    @Test("a file that was changed is not overwritten, and then no other is written")
    func changed() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        defer { try? FileManager.default.removeItem(at: folder) }
        try export(["--tasks", folder.path])
        let file = folder.appendingPathComponent("V0001__settle_0001_tasks.sql")
        try Data("-- mine".utf8).write(to: file)
        #expect(throws: (any Error).self) { try export(["--set-aside", "--tasks", folder.path]) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).count == 2)
        #expect(try String(contentsOf: file, encoding: .utf8) == "-- mine")
    }

    @Test(
        "a database made from the files needs no migrator: it passes for migrated, and the migrator has nothing to do",
        .enabled(if: url != nil), .timeLimit(.minutes(1)), arguments: ["public", #"an "odd" 'name' \"#])
    func applied(schema: String) async throws {
        let sets = [
            SettleSchema.tasks(in: try SchemaName(schema)), SettleSchema.transactions, SettleSchema.at,
            SettleSchema.setAside, SettleSchema.inbox, SettleSchema.messages, SettleSchema.branchKey,
        ]
        let files = try files(Self.all + ["--schema", schema])
        #expect(files.count == sets.reduce(0) { $0 + $1.migrations.count })
        try await withDatabase { database in
            for set in sets {
                let error = await #expect(throws: PostgresMigrationError.self) {
                    try await PostgresMigrator.verify(set, on: database)
                }
                #expect(error?.isPermanent == false)
            }
            let path = try await text("SHOW search_path", database)
            for file in files { try await database.script(file.sql) }
            #expect(try await text("SHOW search_path", database) == path)
            for set in sets {
                try await PostgresMigrator.verify(set, on: database)
                #expect(try await PostgresMigrator.apply(set, on: database).isEmpty)
            }
            let home = try await text(
                "SELECT relnamespace::regnamespace::text FROM pg_class WHERE relname = 'task_his'", database)
            #expect(home == (try await text("SELECT quote_ident('\(schema.replacing("'", with: "''"))')", database)))
            // A second time they change nothing.
            for file in files {
                let error = await #expect(throws: PostgresError.self) { try await database.script(file.sql) }
                #expect(error?.sqlState == "23505")
            }
            // And a role that may only read what was applied can start a service.
            let reader = "settle_reader_\(schema.utf8.count)"
            let rights = "GRANT USAGE ON SCHEMA settle TO \(reader); GRANT SELECT ON settle.migration TO \(reader)"
            try await database.script(
                "DROP ROLE IF EXISTS \(reader); CREATE ROLE \(reader); \(rights); SET ROLE \(reader)")
            for set in sets {
                try await PostgresMigrator.verify(set, on: database)
                #expect(try await PostgresMigrator.apply(set, on: database).isEmpty)
            }
            try await database.script("RESET ROLE; DROP OWNED BY \(reader); DROP ROLE \(reader)")
        }
    }

    private func text(_ sql: String, _ database: PostgresDatabase) async throws -> String {
        try await database.query(sql)[0].decode(String.self, at: 0)
    }

    /// A new database behind one connection, so that what a script sets for its session would show.
    private func withDatabase(_ body: @Sendable (PostgresDatabase) async throws -> Void) async throws {
        let server = try #require(Self.url)
        let name = "settle_export_\(UUID().uuidString.lowercased().replacing("-", with: ""))"
        try await serving(server) { admin in
            _ = try await admin.query("CREATE DATABASE \(name)")
            var parts = try #require(URLComponents(string: server))
            parts.path = "/" + name
            let result: Result<Void, any Error>
            do { result = .success(try await serving(try #require(parts.string), body)) } catch {
                result = .failure(error)
            }
            _ = try await admin.query("DROP DATABASE \(name) WITH (FORCE)")
            try result.get()
        }
    }

    private func serving(_ url: String, _ body: (PostgresDatabase) async throws -> Void) async throws {
        var configuration = try PostgresConfiguration(url: url)
        configuration.connections = 1
        let database = PostgresDatabase(configuration, logger: quiet)
        try await SettleTestSupport.serving([database]) { try await body(database) }
    }
}
