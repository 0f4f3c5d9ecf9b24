import Foundation
import SettlePostgres
import SettlePostgresTestSupport
import SettleSchema
import SettleTestSupport
import Testing

@testable import Settle

@Suite("A ledger in a database", .enabled(if: Testbed.postgresURL != nil), .timeLimit(.minutes(5)))
struct LedgerTests {
    static let tables = MigrationSet(
        "books",
        [
            Migration(
                name: "books",
                sql: """
                    CREATE TABLE booked (key text NOT NULL, n bigint NOT NULL, account text NOT NULL, amount bigint NOT NULL,
                                         PRIMARY KEY (key, n));
                    CREATE TABLE expected (key uuid PRIMARY KEY, account text NOT NULL, amount bigint NOT NULL);
                    """)
        ])
    static let booked = LedgerSource { scope in
        "SELECT key, account, 'taken', amount FROM booked WHERE \(scope("key"))"
    }
    static let expected = LedgerSource(keys: .uuid, hasAdjustments: false) { scope in
        "SELECT key::text, account, 'taken', amount FROM expected WHERE \(scope("key"))"
    }

    static func with(_ body: (PostgresDatabase) async throws -> Void) async throws {
        try await ScratchDatabase.with([SettleSchema.ledger, tables], body)
    }

    /// Of the `n`th millisecond.
    static func key(_ n: Int) -> String {
        LedgerRange.key(at: Date(timeIntervalSince1970: 1_767_225_600 + Double(n) / 1000))
    }

    static func fill(_ database: PostgresDatabase, _ count: Int) async throws {
        let keys = PostgresValue.texts((0..<count).map(key))
        _ = try await database.query(
            "INSERT INTO expected SELECT key::uuid, 'a' || n % 7, 3 FROM unnest($1::text[]) WITH ORDINALITY AS k (key, n)",
            [keys])
        // In two parts, and with something that was taken and given back.
        _ = try await database.query(
            """
            INSERT INTO booked SELECT key, part.n, account, amount FROM unnest($1::text[]) WITH ORDINALITY AS k (key, n),
                LATERAL (VALUES (1, 'a' || k.n % 7, 1), (2, 'a' || k.n % 7, 2), (3, 'b', 5), (4, 'b', -5)) AS part (n, account, amount)
            """, [keys])
    }

    @Test(
        "two sides that hold the same have the same checksums, whatever makes it up; one change shows in its range only"
    )
    func digests() async throws {
        try await Self.with { database in
            try await Self.fill(database, 1000)
            let (expected, booked) = (
                DatabaseLedger(Self.expected, in: database), DatabaseLedger(Self.booked, in: database)
            )
            let bounds = [""] + stride(from: 100, through: 900, by: 100).map(Self.key) + [Self.key(1000)]
            let sums = try await expected.digests(between: bounds)
            #expect(sums.count == 10 && sums.allSatisfy { $0.lines == 100 && $0.sum != "0" })
            #expect(try await booked.digests(between: bounds).map(\.sum) == sums.map(\.sum))
            for change in [
                "UPDATE booked SET amount = 4 WHERE key = $1 AND n = 1",
                "UPDATE booked SET account = 'x' WHERE key = $1",
                "DELETE FROM booked WHERE key = $1",
            ] {
                try await database.transaction { transaction in
                    transaction.add(change, [.text(Self.key(450))])
                }
                let now = try await booked.digests(between: bounds)
                #expect(now.indices.filter { now[$0].sum != sums[$0].sum } == [4], "\(change)")
            }
            #expect(try await expected.digests(between: [""]).isEmpty)
            await #expect(throws: LedgerRequestError.self) { try await expected.digests(between: ["", "x"]) }
        }
    }

    @Test("entries come by pages, by keys, and beyond all keys; what is odd breaks nothing")
    func entries() async throws {
        try await Self.with { database in
            try await Self.fill(database, 25)
            _ = try await database.query(
                "INSERT INTO booked VALUES ('order 1', 1, 'a', 9223372036854775807), ('order 1', 2, 'a', 1)")
            let booked = DatabaseLedger(Self.booked, in: database)
            var keys: [String] = []
            var after: String?
            repeat {
                let page = try await booked.entries(
                    of: LedgerRange(from: Self.key(5), to: Self.key(25)), after: after, limit: 7)
                keys += page.entries.map(\.key)
                after = page.next
            } while after != nil
            #expect(keys == (5..<25).map(Self.key))
            let rest = try await booked.entries(of: LedgerRange(from: Self.key(25), to: nil), after: nil, limit: 5)
            #expect(rest.entries.map(\.key) == ["order 1"] && rest.next == nil)
            #expect(rest.entries.first?.lines.map(\.amount) == [.max])
            let some = try await booked.entries(of: [Self.key(3), "order 1", "nobody's"])
            #expect(Set(some.map(\.key)) == [Self.key(3), "order 1"])
            let expected = DatabaseLedger(Self.expected, in: database)
            #expect(try await expected.entries(of: ["order 1", Self.key(3)]).map(\.key) == [Self.key(3)])
        }
    }

    @Test("an adjustment is made once, and only of what was seen")
    func adjustments() async throws {
        try await Self.with { database in
            try await Self.fill(database, 3)
            let booked = DatabaseLedger(Self.booked, in: database)
            let key = Self.key(1)
            let before = try #require(try await booked.entries(of: [key]).first).lines
            let adjustment = LedgerAdjustment(
                id: UUID().uuidString, key: key, before: before,
                after: [LedgerLine(account: "z", kind: "taken", amount: 8)], reason: "a person said so")
            #expect(try await booked.adjust(adjustment))
            #expect(try await booked.adjust(adjustment), "again")
            #expect(try await booked.entries(of: [key]).first?.lines == adjustment.after)
            let late = LedgerAdjustment(id: UUID().uuidString, key: key, before: before, after: [], reason: "late")
            #expect(try await !booked.adjust(late))
            #expect(try await booked.since() != nil)
        }
    }

    @Test("statements go by the index of keys, however big the tables seem to be")
    func plans() async throws {
        try await Self.with { database in
            try await Self.fill(database, 500)
            let cases = [Self.booked, Self.expected].flatMap { source in
                [
                    StatementCase("digests", source.digests) { _ in [] },
                    StatementCase("page", source.page) { _ in [] },
                    StatementCase("rest", source.rest) { _ in [] },
                    StatementCase("of keys", source.ofKeys) { _ in [] },
                ]
            }
            let faults = try await StatementCase.faults(of: cases, in: database)
            #expect(faults.isEmpty, "\(faults.joined(separator: "\n"))")
        }
    }
}
