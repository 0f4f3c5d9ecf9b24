import SettlePostgres
import SettlePostgresTestSupport
import ShopCentreSchema
import Testing

@testable import ShopMessageCentre

@Suite(
    "Statements of the message centre", .serialized, .enabled(if: ScratchDatabase.serverURL != nil),
    .timeLimit(.minutes(5)))
struct CentreStatementTests {
    private static func filled(_ body: (PostgresDatabase) async throws -> Void) async throws {
        try await ScratchDatabase.with([CentreSchema.migrations]) { database in
            try await database.script(
                """
                INSERT INTO message (id, artist, exchange, routing_key, msg, param_map, headers, wants_outcome, status,
                                     is_confirmed, due_time)
                    SELECT 'known-' || n, 'order', 'exchange', 'route', '{}', '{}', '{}', true,
                           CASE WHEN n % 2 = 0 THEN 'prepared' ELSE 'confirmed' END, n % 2 = 1, '2026-01-01Z'
                    FROM generate_series(1, \(StatementCase.rows)) n;
                ANALYZE;
                """)
            try await body(database)
        }
    }

    private static func all(_ text: String?, _ count: Int) -> PostgresValue {
        .texts(Array(repeating: text, count: count))
    }
    private static func all(_ number: Int, _ count: Int) -> PostgresValue {
        .ints(Array(repeating: number, count: count))
    }
    private static func known(_ count: Int) -> PostgresValue { .texts((1...count).map { "known-\($0)" }) }
    private static func numbers(_ count: Int) -> PostgresValue { .int64s((1...count).map(Int64.init)) }
    private static func messages(_ ids: PostgresValue, _ count: Int) -> [PostgresValue] {
        [
            ids, all("order", count), all("exchange", count), all("route", count), all("{}", count), all("{}", count),
            all("{}", count), all("true", count),
        ]
    }
    /// `due_time` of the messages above, as a lease has it.
    private static let due = 1_767_225_600_000_000

    private static let batches: [StatementCase] = [
        StatementCase("prepare", CentreStore.insertion) {
            messages(.texts((1...$0).map { "new-\($0)" }), $0) + [15_000]
        },
        StatementCase("prepare again", CentreStore.comparison) { messages(known($0), $0) },
        StatementCase("confirm", CentreStore.confirmation) { [known($0), 5_000] },
        StatementCase("statuses", CentreStore.statuses) { [known($0)] },
        StatementCase("ack", CentreStore.acknowledgement) { [known($0), all("why", $0), 5_000] },
        StatementCase("discard", CentreStore.discarding) { [known($0), "why", true, 5_000] },
        StatementCase("check", sql: { CentreStore.claimChecks($0) }) { _ in [25, 15_000, 600_000] },
        StatementCase("not checked", CentreStore.notChecked) { [numbers($0)] },
        StatementCase("tell", sql: { CentreStore.claimOutcomes($0) }) { _ in [5_000, 600_000] },
        StatementCase("told", CentreStore.told) { [numbers($0)] },
        StatementCase("send", sql: { CentreStore.claimSends($0) }) { _ in [5_000, 25, nil] },
        StatementCase("sent", CentreStore.postponement) { [numbers($0), all(due, $0), 600_000, 3_600_000] },
        StatementCase("refused", CentreStore.refused) { [numbers($0), all(due, $0), all("why", $0), all(1_000, $0)] },
        StatementCase("not sent", CentreStore.notAttempted) { [numbers($0)] },
        StatementCase("due by hand", CentreStore.makeDue) { [known($0)] },
    ]

    @Test("find their rows by key, and never go through a batch for each of its rows")
    func plans() async throws {
        try await Self.filled { database in
            let faults = try await StatementCase.faults(of: Self.batches, in: database)
            #expect(faults.isEmpty, "\(faults.joined(separator: "\n"))")
        }
    }

    @Test("cost as much for each item at 500 as at 50")
    func curves() async throws {
        try await Self.filled { database in
            for curve in try await StatementCase.curves(of: Self.batches, in: database) {
                #expect(curve.growth < 2, "\(curve)")
            }
        }
    }
}
