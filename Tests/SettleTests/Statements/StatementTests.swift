import Foundation
import SettlePostgres
import SettlePostgresTestSupport
import SettleSchema
import SettleTestSupport
import Testing

@testable import Settle

@Suite(
    "Statements on batches", .serialized, .enabled(if: ScratchDatabase.serverURL != nil), .timeLimit(.minutes(10)))
struct StatementTests {
    private static let sets = [
        SettleSchema.tasks, SettleSchema.transactions, SettleSchema.at, SettleSchema.inbox, SettleSchema.setAside,
        SettleSchema.messages, SettleSchema.branchKey,
    ]

    private static func key(_ number: Int) -> String {
        let text = String(number)
        return "00000000-0000-7000-8000-" + String(repeating: "0", count: 12 - text.count) + text
    }

    private static func known(_ count: Int) -> PostgresValue { .texts((1...count).map(key)) }
    private static func named(_ count: Int) -> PostgresValue { .texts((1...count).map { key($0) + " 1" }) }
    private static func new(_ count: Int) -> PostgresValue { .texts((1...count).map { "new-\(key($0))" }) }
    private static func ids(_ count: Int) -> PostgresValue { .int64s((1...count).map(Int64.init)) }
    private static func all(_ text: String?, _ count: Int) -> PostgresValue {
        .texts(Array(repeating: text, count: count))
    }
    private static func all(_ number: Int, _ count: Int) -> PostgresValue {
        .ints(Array(repeating: number, count: count))
    }
    private static func none(_ count: Int) -> PostgresValue { .ints(Array(repeating: nil, count: count)) }
    private static let noOwnSettings: [PostgresValue] = [.texts([]), .ints([]), .ints([]), .ints([])]
    /// `due_time` of the tasks below, as a lease has it.
    private static let due = 1_767_225_600_000_000

    private static func filled(_ body: (PostgresDatabase) async throws -> Void) async throws {
        try await ScratchDatabase.with(sets) { database in
            try await database.script(
                """
                CREATE TEMP VIEW item AS
                    SELECT n, '00000000-0000-7000-8000-' || lpad(n::text, 12, '0') AS key FROM generate_series(1, \(StatementCase.rows)) n;
                INSERT INTO task (task_type, business_key, mq_exchange, mq_routingkey, request_body, due_time)
                    SELECT 'addpoint', key, 'exchange', 'route', '{"orderId": "' || key || '"}', '2026-01-01Z' FROM item;
                INSERT INTO settle.inbox (queue, key, content) SELECT 'queue', key, sha256('content') FROM item;
                INSERT INTO settle.global_transaction (xid, decision, participants, due_time)
                    SELECT key, 'commit', '{stock}', '2026-01-01Z' FROM item;
                INSERT INTO settle.branch (xid, state, mode, action, initiator, request, answer, check_time)
                    SELECT key, 'undecided', 'tcc', 'deduct', 'order', '{}', '{}', '2026-01-01Z' FROM item;
                INSERT INTO settle.set_aside (queue, exchange, routing_key, headers, body, bytes, fingerprint, state, reason,
                                              due_time)
                    SELECT 'queue', 'exchange', 'route', '{}', 'body', 4, sha256(key::bytea), 'waiting', 'held', '2026-01-01Z'
                    FROM item;
                INSERT INTO settle.pre_message (id, message_type, business_key, exchange, routing_key, body, state, deadline,
                                                due_time)
                    SELECT key::uuid, 'deduct', key, 'exchange', 'route', '{}', CASE WHEN n % 2 = 0 THEN 'pre' ELSE 'done' END,
                           '2026-01-01Z', '2026-01-01Z' FROM item;
                INSERT INTO settle.message_his (id, create_time, message_type, business_key, status, attempts)
                    SELECT ('1' || substr(key, 2))::uuid, '2026-01-01Z', 'deduct', key, 'finished', 0 FROM item;
                ANALYZE;
                """)
            try await body(database)
        }
    }

    private static let tasks: [StatementCase] = {
        let statements = TaskStatements(schema: .public, purgeBatch: 500)
        return [
            StatementCase("task insert", statements.insert) {
                [
                    all("addpoint", $0), new($0), all("exchange", $0), all("route", $0), all("{}", $0), all(nil, $0),
                    all(5_000, $0),
                ]
            },
            StatementCase("task claim", sql: { statements.claim(limit: $0) }) { _ in
                [5_000, 25] + noOwnSettings + [nil]
            },
            StatementCase("task claim of some years", sql: { statements.claim(limit: $0) }) { _ in
                [5_000, 25] + noOwnSettings + [.int64(1 << 50)]
            },
            StatementCase("task postpone", statements.postpone) {
                [ids($0), all(due, $0), 600_000, 3_600_000] + noOwnSettings
            },
            StatementCase("task refused", statements.refused) {
                [ids($0), all(due, $0), all("unroutable", $0), all(1_000, $0)]
            },
            StatementCase("task not attempted", statements.notAttempted) { [ids($0)] },
            StatementCase("task held", statements.held) { [ids($0)] },
            StatementCase("task archive", statements.archive) {
                [
                    ids($0), all("addpoint", $0), all("finished", $0), all(nil, $0), all(nil, $0),
                    .ints(Array(repeating: nil, count: $0)),
                ]
            },
            StatementCase("task live", statements.live) { [ids($0)] },
            StatementCase("task retry parked", statements.makeParkedDue) { [0, nil, .int($0)] },
            StatementCase("task insert with options", statements.waiting.insert) {
                [
                    all("addpoint", $0), new($0), all("exchange", $0), all("route", $0), all("{}", $0), all(nil, $0),
                    all(5_000, $0), none($0), new($0), none($0), all(nil, $0), new($0),
                ]
            },
            StatementCase("task living", statements.waiting.living) { [all("addpoint", $0), known($0)] },
            StatementCase("task turns", statements.waiting.takeTurns) { [new($0)] },
            StatementCase("task release", statements.waiting.release) { [known($0), 5_000] + noOwnSettings },
            StatementCase("task given up", statements.waiting.giveUp) {
                [ids($0), "discarded", "useless", .texts(["addpoint"])]
            },
            StatementCase("task expired", statements.waiting.expired) { [.texts(["addpoint"]), .int($0)] },
            StatementCase("task park expired", statements.waiting.parkExpired) { [.int($0)] },
            StatementCase("task unpause", statements.waiting.unpause) { [.int($0)] },
            StatementCase("task by row", OutboxStatement([]).sql) {
                [all("addpoint", $0), new($0), all("exchange", $0), all("route", $0), all("{}", $0), all("", $0)]
            },
        ]
    }()

    private static let received: [StatementCase] = [
        StatementCase("inbox new", InboxStore.new) { ["queue", new($0), all("content", $0)] },
        StatementCase("inbox known", InboxStore.known) { ["queue", known($0), all("content", $0)] },
        StatementCase("inbox conclusion", InboxStore.conclusion) {
            ["queue", known($0), all(nil, $0), all("{}", $0)]
        },
        StatementCase("set-aside claim", sql: { SetAsideStore.due($0) }) { _ in
            [.texts(["queue"]), .int(1 << 24), 5_000]
        },
        StatementCase("set-aside postponement", SetAsideStore.postponement) {
            [ids($0), all("held", $0), all(1, $0), all(0, $0), all(1_000, $0)]
        },
        StatementCase("set-aside burial", SetAsideStore.burial) { [ids($0), all("tries are used up", $0)] },
    ]

    private static let messages: [StatementCase] = [
        StatementCase("message insert", MessageStore.insertion) {
            [
                .uuids((0..<$0).map { _ in UUID() }), all("deduct", $0), new($0), all("exchange", $0), all("route", $0),
                all("{}", $0), all(nil, $0), "pre", 10_000, 5_000,
            ]
        },
        StatementCase("message done", MessageStore.completion) { [even($0)] },
        StatementCase("message claim", sql: { MessageStore.claim($0) }) { _ in [5_000] },
        StatementCase("message postponement", MessageStore.postponement) { [known($0), 600_000, 3_600_000] },
        StatementCase("message archive", MessageStore.archive) { [known($0), all(nil, $0), "finished"] },
        StatementCase("message given up", MessageStore.voiding) { [known($0)] },
        StatementCase("message verdicts", MessageStore.verdicts) { [known($0)] },
    ]

    private static func even(_ count: Int) -> PostgresValue { .texts((1...count).map { key($0 * 2) }) }

    private static let transactions: [StatementCase] = [
        StatementCase("branches", BranchStore.groupInsertion) {
            [
                "tcc", "deduct", 3_000, new($0), all("order", $0), all("{}", $0), all("{}", $0), all(15_000, $0),
                all("2", $0),
            ]
        },
        StatementCase("branches' limit", BranchStore.groupLimit) { [new($0), 10_000] },
        StatementCase("branch gate", BranchStore.closing) { [new($0)] },
        StatementCase("branches' gates", BranchStore.passing) { [new($0)] },
        StatementCase("branches prepared", BranchStore.answering) { [known($0), named($0), all("{}", $0)] },
        StatementCase("branches forgotten", BranchStore.forgetting) { [known($0), named($0)] },
        StatementCase("branches at resources", BranchStore.waitingResources) { [known($0)] },
        StatementCase("branches untold", BranchStore.resourceFailing) { [known($0), named($0), "why", 1_000, 10_000] },
        StatementCase("branch ending of others", BranchStore.endingOthers) { [known($0), "committed", known(1)] },
        StatementCase("branch refusal", BranchStore.refusal) { [new($0)] },
        StatementCase("branch locking", BranchStore.locking) { [known($0)] },
        StatementCase("branch ending", BranchStore.ending) { [known($0), "committed"] },
        StatementCase("branch due", sql: { BranchStore.due($0) }) { _ in [3_000, 60_000, .texts(["order"])] },
        StatementCase("decision", DecisionStore.commit) { [new($0), all("stock", $0), 5_000] },
        StatementCase("decision abort", DecisionStore.abort) { [new($0)] },
        StatementCase("decision known", DecisionStore.decided) { [known($0)] },
        StatementCase("decision due", sql: { DecisionStore.due($0) }) { _ in [] },
        StatementCase("decision acknowledged", DecisionStore.acknowledgement) { [known($0)] },
        StatementCase("at commit", "SELECT settle.at_commit($1::text[])") { [known($0)] },
    ]

    /// Not for batches.
    private static let single: [StatementCase] = [
        StatementCase("branch", BranchStore.insertion) { _ in [] },
        StatementCase("branch in mode at", BranchStore.limitedInsertion) { _ in [] },
    ]

    @Test("find their rows by key, and never go through a batch for each of its rows")
    func plans() async throws {
        try await Self.filled { database in
            let statements = Self.tasks + Self.received + Self.messages + Self.transactions + Self.single
            let faults = try await StatementCase.faults(of: statements, in: database)
            #expect(faults.isEmpty, "\(faults.joined(separator: "\n"))")
            // As it is mostly: nearly nothing waits.
            try await database.script(
                """
                UPDATE task SET status = 'parked' WHERE id > 1;
                UPDATE settle.branch SET state = 'committed', ended_at = now() WHERE xid NOT LIKE '%01';
                UPDATE settle.global_transaction SET acknowledged_at = now() WHERE xid NOT LIKE '%01';
                UPDATE settle.set_aside SET state = 'dead' WHERE id > 1;
                """)
            let quiet = try await StatementCase.faults(of: statements, in: database)
            #expect(quiet.isEmpty, "\(quiet.joined(separator: "\n"))")
        }
    }

    @Test("cost as much for each item at 500 as at 50")
    func curves() async throws {
        try await Self.filled { database in
            for curve in try await StatementCase.curves(
                of: Self.tasks + Self.received + Self.messages + Self.transactions, in: database)
            {
                #expect(curve.growth < 2, "\(curve)")
            }
        }
    }

    @Test("a plan that reads a table, or goes through a batch for each of its rows, is noticed")
    func faults() async throws {
        try await ScratchDatabase.with(Self.sets) { database in
            let byTable = try await PlanFaults.of("SELECT count(*) FROM task WHERE errormsg = $1", in: database)
            #expect(byTable == ["reads all of task"])
            let quadratic = """
                WITH a AS MATERIALIZED (SELECT * FROM unnest($1::text[]) AS key),
                     b AS MATERIALIZED (SELECT * FROM unnest($2::text[]) AS key)
                SELECT count(*) FROM a JOIN b ON a.key < b.key
                """
            let inner = try await PlanFaults.of(quadratic, in: database)
            #expect(inner.count == 1)
            let again = "SELECT (SELECT min(b) FROM unnest($2::text[]) AS b WHERE b > a) FROM unnest($1::text[]) AS a"
            let subplan = try await PlanFaults.of(again, in: database)
            #expect(subplan.count == 1)
        }
    }
}
