import Foundation
import Settle
import SettleCore
import SettlePostgres
import SettlePostgresTestSupport
import SettleSchema
import SettleTestSupport
import ShopContract
import ShopOrderSchema
import Testing

@testable import ShopOrder

@Suite(
    "What order knows for reconciliation", .serialized, .enabled(if: ScratchDatabase.serverURL != nil),
    .timeLimit(.minutes(10)))
struct OrderReconciliationTests {
    static let sets = [
        SettleSchema.tasks, SettleSchema.transactions, SettleSchema.messages, SettleSchema.ledger,
        OrderSchema.migrations,
        MigrationSet(
            "book",
            [
                Migration(
                    name: "book",
                    sql: """
                        CREATE TABLE book (order_id text NOT NULL, account text NOT NULL, kind text NOT NULL,
                                           amount bigint NOT NULL, PRIMARY KEY (order_id, account, kind))
                        """)
            ]),
    ]

    /// Of an application that never runs: it is only asked for its statements.
    private static var outbox: Outbox {
        get throws {
            var configuration = Settle.Configuration(
                app: "test", database: try PostgresConfiguration(url: "postgresql://127.0.0.1/none"))
            configuration.schema = .public
            return Settle(configuration, logger: quiet).outbox
        }
    }

    static func with(
        connections: Int = 1, _ body: (PostgresDatabase, OrderReconciliation) async throws -> Void
    ) async throws {
        try await ScratchDatabase.with(sets, connections: connections) { database in
            try await body(database, OrderReconciliation(database: database, outbox: try outbox))
        }
    }

    /// Orders that are all settled, two a millisecond, and a book that holds what they say.
    static func fill(_ database: PostgresDatabase, _ count: Int) async throws {
        try await database.script(
            """
            CREATE TEMP TABLE k AS
                SELECT n, (lpad(to_hex(1767225600000 + n / 2), 12, '0') || '70008000' || lpad(to_hex(n), 12, '0'))::uuid AS id
                FROM generate_series(1, \(count)) n;
            INSERT INTO orders (id, user_name, total, spend_points, pay_money, point, status, mode)
                SELECT id, 'user-' || n % 1000, 100, n % 2 * 5, 100 - n % 2 * 5, 100 - n % 2 * 5, 'settled', 'tcc' FROM k;
            INSERT INTO order_item SELECT id, 'sku-' || n % 50, 1 + n % 3, 10 FROM k;
            INSERT INTO book SELECT id::text, 'user-' || n % 1000, 'earned', 100 - n % 2 * 5 FROM k;
            INSERT INTO book SELECT id::text, 'user-' || n % 1000, 'spent', 5 FROM k WHERE n % 2 = 1;
            INSERT INTO book SELECT id::text, 'sku-' || n % 50, 'taken', 1 + n % 3 FROM k;
            DROP TABLE k;
            ANALYZE;
            """)
    }

    private static func book(_ kinds: String) -> LedgerSource {
        LedgerSource { scope in
            "SELECT order_id, account, kind, amount FROM book WHERE \(scope("order_id")) AND kind IN (\(kinds))"
        }
    }

    /// Everything that a run asks of books that agree.
    static func compare(_ database: PostgresDatabase, _ business: OrderReconciliation) async throws -> (
        orders: Int, differing: Int
    ) {
        let sides = [
            (OrderBooks.stock, book("'taken'")), (OrderBooks.points, book("'earned', 'spent'")),
        ]
        var after = "00000000-0000-7000-8000-000000000000"
        let before = UUID.v7().uuidString.lowercased()
        var (orders, differing) = (0, 0)
        while true {
            let cut = try await business.bounds(after: after, before: before)
            orders += cut.keys
            let isLast = cut.bounds.count < ReconciliationSettings.maxRanges
            let bounds = [after] + cut.bounds + (isLast ? [before] : [])
            differing += try await withThrowingTaskGroup(of: Int.self) { group in
                for (expected, booked) in sides {
                    group.addTask {
                        async let one = DatabaseLedger(expected, in: database).digests(between: bounds)
                        async let other = DatabaseLedger(booked, in: database).digests(between: bounds)
                        return zip(try await one, try await other).count { $0.sum != $1.sum }
                    }
                }
                return try await group.reduce(0, +)
            }
            guard !isLast, let last = cut.bounds.last else { return (orders, differing) }
            after = last
        }
    }

    @Test("20,000 orders are compared with two books, and one that differs is found")
    func twentyThousand() async throws {
        try await Self.with { database, business in
            try await Self.fill(database, 20_000)
            let begun = ContinuousClock.now
            let agreed = try await Self.compare(database, business)
            print("20,000 orders compared: \(ContinuousClock.now - begun)")
            #expect(agreed.orders == 20_000 && agreed.differing == 0)
            _ = try await database.query("DELETE FROM book WHERE ctid = (SELECT ctid FROM book LIMIT 1)")
            #expect(try await Self.compare(database, business).differing == 1)
        }
    }

    /// Takes a while to fill: only when it is asked for.
    @Test(
        "a million orders are compared with two books in ten seconds",
        .enabled(if: ProcessInfo.processInfo.environment["SETTLE_TEST_MILLION"] != nil))
    func million() async throws {
        // As many as there are statements at once: two sides of two books.
        try await Self.with(connections: 4) { database, business in
            try await Self.fill(database, 1_000_000)
            for _ in 1...3 {
                let begun = ContinuousClock.now
                let agreed = try await Self.compare(database, business)
                let took = ContinuousClock.now - begun
                print("1,000,000 orders compared: \(took)")
                #expect(agreed.orders == 1_000_000 && agreed.differing == 0 && took < .seconds(10))
            }
        }
    }

    @Test("states tell orders that are over from those that something is under way for")
    func states() async throws {
        try await Self.with { database, business in
            try await Self.fill(database, 6)
            let keys = try await database.query("SELECT id::text FROM orders ORDER BY id")
                .map { try $0.decode(String.self, at: 0) }
            _ = try await database.query("UPDATE orders SET status = 'placed' WHERE id::text = $1", [.text(keys[0])])
            _ = try await database.query(
                """
                INSERT INTO task (task_type, business_key, mq_exchange, mq_routingkey, request_body, due_time)
                VALUES ('addpoint', $1, 'e', 'r', '{}', now())
                """, [.text(keys[1])])
            _ = try await database.query("UPDATE orders SET xid = 'x' WHERE id::text = $1", [.text(keys[2])])
            _ = try await database.query(
                "INSERT INTO settle.global_transaction (xid, decision, participants) VALUES ('x', 'commit', '{stock}')")
            let states = try await business.states(of: keys + ["nobody's", UUID().uuidString.lowercased()])
            #expect(states.count == 6)
            #expect(keys.map { states[ByteKey($0)]?.isFinal } == [false, false, false, true, true, true])
        }
    }

    @Test("an order that is stuck is found and goes on; a task of nobody's order is found and can be discarded")
    func strays() async throws {
        try await Self.with { database, business in
            try await Self.fill(database, 5)
            let before = UUID.v7().uuidString.lowercased()
            #expect(try await business.strays(before: before).isEmpty)
            _ = try await database.query(
                "UPDATE orders SET status = 'placed' WHERE id = (SELECT min(id::text)::uuid FROM orders)")
            _ = try await database.query(
                """
                INSERT INTO task (task_type, business_key, mq_exchange, mq_routingkey, request_body, due_time, create_time)
                SELECT 'addpoint', key, 'e', 'r', '{}', now(), now() - interval '1 hour'
                FROM unnest(ARRAY['odd', '01890000-0000-7000-8000-000000000000']) AS key
                """)
            let strays = try await business.strays(before: before)
            #expect(strays.map(\.kind).sorted() == ["orderStuck", "taskWithoutOrder", "taskWithoutOrder"])
            let stuck = strays.filter { $0.kind == "orderStuck" }
            for expected in [1, 0] {
                let mended = try await database.transaction { try business.mend(stuck, in: $0) }
                #expect(mended.count == expected, "once: then it is under way")
            }
            #expect(
                try await database.query("SELECT FROM task WHERE business_key = $1", [.text(stuck[0].key)]).count == 1)
            #expect(try await business.strays(before: before).count == 2)
            for task in strays where task.kind == "taskWithoutOrder" {
                #expect(try await business.apply(try #require(task.action), key: task.key, reason: "a test"))
                #expect(try await !business.apply(try #require(task.action), key: task.key, reason: "a test"))
            }
            #expect(try await database.query("SELECT FROM task_his WHERE status = 'rejected'").count == 2)
        }
    }

    @Test("the answer to a task that is sent again for an order that is over changes nothing, and sends nothing")
    func answers() async throws {
        try await Self.with { database, _ in
            try await Self.fill(database, 1)
            let key = try await database.query("SELECT id::text FROM orders")[0].decode(String.self, at: 0)
            let outbox = try Self.outbox
            let answers: [(String, TaskAnswer)] = [
                ("deductstock", .finished), ("deductstock", .rejected(reason: "r")), ("addpoint", .finished),
                ("addpoint", .rejected(reason: "unknown user")), ("restock", .finished), ("refundpoint", .finished),
            ]
            for status in ["settled", "cancelled"] {
                _ = try await database.query("UPDATE orders SET status = $1, reason = 'why'", [.text(status)])
                for (type, answer) in answers {
                    try await database.transaction { transaction in
                        try Settlement(sending: .tasks(outbox)).follow(
                            transaction,
                            [
                                Settlement.Answered(
                                    taskType: type, businessKey: key, answer: answer, traceParent: nil)
                            ])
                    }
                    let now = try await database.query("SELECT status FROM orders")[0].decode(String.self, at: 0)
                    #expect(now == status, "\(type) \(answer)")
                    #expect(try await database.query("SELECT FROM task").isEmpty, "\(status): \(type) \(answer)")
                }
            }
        }
    }

    @Test("its statements find orders by their key")
    func plans() async throws {
        try await Self.with { database, _ in
            try await Self.fill(database, 500)
            let cases = [
                StatementCase("bounds", OrderReconciliation.bounds) { _ in [] },
                StatementCase("states", OrderReconciliation.states) { _ in [] },
                StatementCase("held", OrderReconciliation.held) { _ in [] },
                StatementCase("milestone", OrderReconciliation.milestone) { _ in [] },
                StatementCase("stuck", OrderReconciliation.stuck) { _ in [] },
            ]
            let faults = try await StatementCase.faults(of: cases, in: database)
            #expect(faults.isEmpty, "\(faults.joined(separator: "\n"))")
        }
    }
}
