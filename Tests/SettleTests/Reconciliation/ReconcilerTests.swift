import Foundation
import SettleCore
import SettlePostgres
import SettlePostgresTestSupport
import SettleSchema
import SettleTestSupport
import Testing

@testable import Settle

/// A book in memory.
private struct MemoryBook: LedgerBook {
    struct Away: Error {}

    var entries: [LedgerEntry] = []
    var isAway = false
    var differences: [BalanceDifference] = []

    func since() async throws -> Date? {
        if isAway { throw Away() }
        return nil
    }

    func digests(between bounds: [String]) async throws -> [LedgerDigest] {
        if isAway { throw Away() }
        return zip(bounds, bounds.dropFirst()).map { low, high in
            let inside = entries.filter { $0.key >= low && $0.key < high }
            return LedgerDigest(lines: inside.count, sum: "\(inside.map(\.lines))")
        }
    }

    func entries(of range: LedgerRange, after: String?, limit: Int) async throws -> LedgerPage {
        let inside = entries.filter { entry in
            entry.key >= range.from && (range.to.map { entry.key < $0 } ?? true)
                && (after.map { entry.key > $0 } ?? true)
        }.sorted { $0.key < $1.key }
        return LedgerPage(
            entries: Array(inside.prefix(limit)), next: inside.count > limit ? inside[limit - 1].key : nil)
    }

    func entries(of keys: [String]) async throws -> [LedgerEntry] { entries.filter { keys.contains($0.key) } }

    func balances() async throws -> BalanceComparison { BalanceComparison(accounts: 1, differences: differences) }

    func correct(_ corrections: [BalanceDifference], reason: String) async throws -> [BalanceDifference] { corrections }

    func adjust(_ adjustment: LedgerAdjustment) async throws -> Bool { adjustment.key != "moved on" }
}

/// All keys are final, but those that say that they are open.
private struct Business: ReconciledBusiness {
    let keys: [String]
    var stray: BusinessStray?
    var isSlow = false

    func bounds(after: String, before: String) async throws -> (bounds: [String], keys: Int) { ([], keys.count) }

    func states(of keys: [String]) async throws -> [ByteKey: BusinessState] {
        Dictionary(
            keys.filter(self.keys.contains).map {
                (ByteKey($0), BusinessState(name: "over", isFinal: !$0.hasPrefix("open")))
            },
            uniquingKeysWith: { $1 })
    }

    func describe(_ difference: BookDifference) -> (kind: String, detail: String, isMendable: Bool)? {
        difference.state == nil ? ("unknown", "nobody's", false) : ("differs", "not so", true)
    }

    func mend(_ differences: [BookDifference], in transaction: borrowing PostgresTransaction) throws -> [Int: String] {
        Dictionary(differences.indices.map { ($0, "sent again") }, uniquingKeysWith: { $1 })
    }

    func strays(before: String) async throws -> [BusinessStray] {
        if isSlow { try await Task.sleep(for: .seconds(3600)) }
        return stray.map { [$0] } ?? []
    }

    func mend(_ strays: [BusinessStray], in transaction: borrowing PostgresTransaction) throws -> [Int: String] { [:] }

    func apply(_ action: String, key: String, reason: String) async throws -> Bool { action == "discard" }
}

@Suite("Reconciling", .enabled(if: Testbed.postgresURL != nil), .timeLimit(.minutes(5)))
struct ReconcilerTests {
    private static func entry(_ key: String, _ amount: Int64 = 1) -> LedgerEntry {
        LedgerEntry(key: key, lines: [LedgerLine(account: "a", kind: "k", amount: amount)])
    }

    private static func settings() -> ReconciliationSettings {
        var settings = ReconciliationSettings()
        settings.interval = .zero
        settings.secondLook = .milliseconds(10)
        return settings
    }

    /// Runs `body` with a reconciler that is at work.
    private static func with(
        _ books: [ReconciledBook], _ business: Business, settings: ReconciliationSettings? = nil,
        _ body: (Reconciler, PostgresDatabase) async throws -> Void
    ) async throws {
        try await ScratchDatabase.with([SettleSchema.reconciliation]) { database in
            let reconciler = Reconciler(
                settings: settings ?? Self.settings(), database: database, books: books, business: business,
                logger: quiet)
            try await serving([reconciler]) { try await body(reconciler, database) }
        }
    }

    private static func report(_ reconciler: Reconciler, repairs: Bool = true) async throws -> ReconciliationReport {
        #expect(try await reconciler.begin(repairs: repairs))
        try await eventually("the run is over") { try await reconciler.last()?.endedAt != nil }
        return try #require(try await reconciler.last())
    }

    @Test("books that agree are clean")
    func clean() async throws {
        let book = MemoryBook(entries: [Self.entry("1"), Self.entry("2")])
        try await Self.with([ReconciledBook("b", book, expected: book)], Business(keys: ["1", "2"])) { reconciler, _ in
            #expect(try await reconciler.last() == nil)
            let report = try await Self.report(reconciler)
            #expect(report.clean && report.findings.isEmpty && report.error == nil && report.orders == 2)
            #expect(report.text.contains("clean"))
        }
    }

    @Test(
        "what the protocol mends is mended once; what is wrong again, and what it cannot mend, is proposed to a person")
    func findings() async throws {
        let expected = MemoryBook(entries: [Self.entry("1"), Self.entry("open 2")])
        let booked = MemoryBook(
            entries: [Self.entry("1", 7), Self.entry("nobody's")],
            differences: [BalanceDifference(account: "a", column: "c", balance: 1, ledger: 2)])
        let business = Business(
            keys: ["1", "open 2"],
            stray: BusinessStray(kind: "stray", key: "9", isBusinessKey: false, detail: "d", action: "discard"))
        try await Self.with([ReconciledBook("b", booked, expected: expected)], business) { reconciler, database in
            let look = try await Self.report(reconciler, repairs: false)
            #expect(look.findings.map(\.kind).sorted() == ["balance", "differs", "stray", "unknown"])
            #expect(look.findings.allSatisfy { !$0.repaired } && !look.clean && look.repaired == 0)
            // It would be mended; so nobody is asked to put it right by hand.
            #expect(look.findings.first { $0.kind == "differs" }?.proposal == nil)

            let first = try await Self.report(reconciler)
            #expect(first.findings.filter(\.repaired).map(\.kind) == ["differs"] && first.repaired == 1)
            let second = try await Self.report(reconciler)
            #expect(second.repaired == 0)
            let again = try #require(second.findings.first { $0.kind == "differs" })
            #expect(
                again.proposal
                    == .adjust(
                        book: "b", key: "1", before: Self.entry("1", 7).lines, after: Self.entry("1").lines))
            for finding in second.findings {
                #expect(try await reconciler.apply(#require(UUID(uuidString: finding.id)), reason: "seen") == true)
                #expect(
                    try await reconciler.apply(#require(UUID(uuidString: finding.id)), reason: "seen") == nil, "once")
            }
            let rows = try await database.query("SELECT kind FROM settle.reconciliation_repair ORDER BY made_at, kind")
            #expect(
                try rows.map { try $0.decode(String.self, at: 0) }.sorted()
                    == ["balance", "differs", "differs", "stray", "unknown"])
            #expect(second.text.contains("NOT CLEAN") && second.text.contains("proposal"))
            #expect(try await reconciler.apply(UUID(), reason: "nobody's") == nil)
        }
    }

    @Test("a book that is away makes a run incomplete, and no finding; the others are compared")
    func away() async throws {
        let books = [
            ReconciledBook("away", MemoryBook(isAway: true), expected: MemoryBook(entries: [Self.entry("1")])),
            ReconciledBook("here", MemoryBook(), expected: MemoryBook(entries: [Self.entry("1")])),
        ]
        try await Self.with(books, Business(keys: ["1"])) { reconciler, _ in
            let report = try await Self.report(reconciler)
            #expect(report.error?.contains("away") == true && !report.clean)
            #expect(report.findings.map(\.book) == ["here"])
        }
    }

    @Test("one run at a time; one whose process is gone is over, and another takes its place")
    func lease() async throws {
        try await ScratchDatabase.with([SettleSchema.reconciliation]) { database in
            var settings = Self.settings()
            let store = ReconciliationStore(database: database, settings: settings)
            let lost = try #require(try await store.begin(repairs: true))
            #expect(try await store.begin(repairs: true) == nil)
            #expect(try await store.renew(lost, keys: 1))
            settings.lease = .zero
            let hasty = ReconciliationStore(database: database, settings: settings)
            #expect(try await hasty.renew(lost, keys: 1))
            let next = try await hasty.begin(repairs: true)
            #expect(next != nil)
            #expect(try await !store.renew(lost, keys: 1), "it is not its own any more")
            try await store.end(try #require(next), keys: 0, found: 0, repaired: 0, error: nil)
            // Another replica has had its turn just now.
            #expect(try await store.begin(repairs: true, after: .seconds(60)) == nil)
            #expect(try await store.begin(repairs: true, after: .zero) != nil)
        }
    }

    @Test("a process that is stopped ends its run, and says that it is incomplete")
    func stopped() async throws {
        try await ScratchDatabase.with([SettleSchema.reconciliation]) { database in
            let reconciler = Reconciler(
                settings: Self.settings(), database: database, books: [], business: Business(keys: [], isSlow: true),
                logger: quiet)
            try await serving([reconciler]) {
                let (one, another) = (try await reconciler.begin(), try await reconciler.begin())
                #expect(one && !another, "one at a time")
                let report = try await reconciler.last()
                #expect(report?.endedAt == nil)
            }
            let last = try #require(try await reconciler.last())
            #expect(last.endedAt != nil && last.error?.contains("strays") == true && !last.clean)
        }
    }

    @Test("very many findings are counted, and the first are kept")
    func many() async throws {
        var settings = Self.settings()
        settings.maxFindings = 10
        settings.maxLines = 20
        settings.batchSize = 7
        let keys = (100..<200).map { LedgerTests.key($0) }
        let expected = MemoryBook(entries: keys.map { Self.entry($0) })
        try await Self.with(
            [ReconciledBook("b", MemoryBook(entries: [Self.entry("zzz")]), expected: expected)], Business(keys: keys),
            settings: settings
        ) { reconciler, _ in
            let report = try await Self.report(reconciler)
            #expect(report.found == 101 && report.findings.count == 10 && report.repaired == 100)
        }
    }
}
