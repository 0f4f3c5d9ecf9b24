import Foundation
import SettlePostgres
import SettlePostgresTestSupport
import SettleSchema
import ShopOrderSchema
import ShopPointsSchema
import ShopStockSchema
import Testing

@testable import ShopOrder
@testable import ShopStock
@testable import ShopUserPoints

@Suite(
    "Statements of the services", .serialized, .enabled(if: ScratchDatabase.serverURL != nil), .timeLimit(.minutes(10)))
struct ShopStatementTests {
    private static func uuid(_ number: Int) -> String {
        let text = String(number)
        return "00000000-0000-7000-8000-" + String(repeating: "0", count: 12 - text.count) + text
    }

    private static func known(_ count: Int) -> PostgresValue { .texts((1...count).map(uuid)) }
    private static func new(_ count: Int) -> PostgresValue { .texts((1...count).map { "new-\(uuid($0))" }) }
    private static func products(_ count: Int) -> PostgresValue { .texts((1...count).map { "sku-\($0 * 7 % 1_000)" }) }
    private static func users(_ count: Int) -> PostgresValue { .texts((1...count).map { "user-\($0 * 7 % 1_000)" }) }
    private static func all(_ text: String?, _ count: Int) -> PostgresValue {
        .texts(Array(repeating: text, count: count))
    }
    private static func all(_ number: Int, _ count: Int) -> PostgresValue {
        .ints(Array(repeating: number, count: count))
    }
    /// Two products for each order.
    private static func items(_ count: Int) -> PostgresValue {
        .texts(
            (1...count).map {
                #"[{"sku":"sku-\#($0 * 7 % 1_000)","quantity":2},{"sku":"sku-\#($0 * 13 % 1_000 + 1)","quantity":1}]"#
            })
    }

    /// The databases of all three services in one, and as many rows in each table.
    private static func filled(_ body: (PostgresDatabase) async throws -> Void) async throws {
        let sets = [
            SettleSchema.tasks, SettleSchema.transactions, SettleSchema.at, OrderSchema.migrations,
            StockSchema.migrations, PointsSchema.migrations, SettleSchema.branchKey,
        ]
        try await ScratchDatabase.with(sets) { database in
            try await database.script(
                """
                CREATE TEMP VIEW item AS
                    SELECT n, '00000000-0000-7000-8000-' || lpad(n::text, 12, '0') AS key
                    FROM generate_series(0, \(StatementCase.rows)) n;
                INSERT INTO product (sku, title, unit_price, available) SELECT 'sku-' || n, 'title', 100, 1000000 FROM item;
                INSERT INTO user_points (user_name, points) SELECT 'user-' || n, 1000000 FROM item;
                UPDATE product SET reserved = 1000000 WHERE sku LIKE 'sku-___' OR sku LIKE 'sku-__' OR sku LIKE 'sku-_';
                UPDATE user_points SET reserved = 1000000
                WHERE user_name LIKE 'user-___' OR user_name LIKE 'user-__' OR user_name LIKE 'user-_';
                INSERT INTO stock_log (order_id, action, items) SELECT key, 'deduct', '[{"sku": "sku-1", "quantity": 1}]' FROM item;
                INSERT INTO point_log (order_id, user_id, point) SELECT key, 1, 1 FROM item;
                INSERT INTO stock_taken (order_id, sign, items) SELECT key, 1, '[{"sku": "sku-1", "quantity": 1}]' FROM item;
                INSERT INTO stock_taken_at (order_id, items) SELECT key, '[{"sku": "sku-1", "quantity": 1}]' FROM item;
                INSERT INTO point_spent (order_id, user_name, point) SELECT key, 'user-1', 1 FROM item;
                INSERT INTO point_spent_at (order_id, user_name, point) SELECT key, 'user-1', 1 FROM item;
                INSERT INTO point_refund (order_id, user_name, point) SELECT key, 'user-1', 1 FROM item;
                INSERT INTO point_refusal (order_id, user_name, point, reason)
                    SELECT 'refused-' || key, 'user-1', 1, 'unknown user' FROM item;
                INSERT INTO orders (id, user_name, total, spend_points, pay_money, point, mode)
                    SELECT key::uuid, 'user-1', 1, 0, 1, 1, 'message' FROM item;
                INSERT INTO order_item SELECT key::uuid, 'sku-1', 1, 1 FROM item;
                INSERT INTO settle.branch (xid, state, mode, action, initiator, request, answer)
                    SELECT key, 'undecided', 'tcc', 'deduct', 'order', '{}', '{}' FROM item;
                ANALYZE;
                """)
            try await body(database)
        }
    }

    private static func stockLedger(_ scope: (String) -> String) -> String {
        StockLedger.parts(scope).joined(separator: " UNION ALL ")
    }
    private static func pointsLedger(_ scope: (String) -> String) -> String {
        PointsLedger.parts(scope).joined(separator: " UNION ALL ")
    }

    private static let stock: [StatementCase] = [
        StatementCase("stock deduct", DeductStockApplier.deduct) { [new($0), items($0), false] },
        StatementCase("stock deduct or reject", DeductStockApplier.deduct) { [new($0), items($0), true] },
        StatementCase("stock lock", DeductStockApplier.lock) { [items($0)] },
        StatementCase("stock restock", RestockApplier.restock) { [new($0), items($0), known($0)] },
        StatementCase("stock known", StockLogEntry.known) { [known($0), items($0), "deduct"] },
        StatementCase("branch take", Deduct.takePlain) {
            [products($0), all(1, $0), .texts([uuid(1)]), items(1)]
        },
        StatementCase("branch take in at", Deduct.takeAT) {
            [products($0), all(1, $0), .texts([uuid(1)]), items(1)]
        },
        StatementCase("branch try", Deduct.takeReserved) { [products($0), all(1, $0)] },
        StatementCase("branches: what is there", Deduct.shelf) { [products($0)] },
        StatementCase("branches take", Deduct.takeTogether) {
            [products($0), all(1, $0), known($0), items($0)]
        },
        StatementCase("branches try", Deduct.reserveTogether) { [products($0), all(1, $0)] },
        StatementCase("branch confirm", Deduct.confirmReserved) {
            [products($0), all(1, $0), known($0), items($0)]
        },
        StatementCase("branch cancel", Deduct.cancelReserved) { [products($0), all(1, $0)] },
        StatementCase("flash booked", Deduct.bookTaken) {
            [products($0), all(1, $0), known($0), items($0)]
        },
        StatementCase("branch compensate", Deduct.giveBack) {
            [products($0), all(1, $0), known($0), items($0)]
        },
        StatementCase("stock ledger of orders", stockLedger { "\($0) = ANY ($1::text[])" }) { [known($0)] },
    ]

    private static let points: [StatementCase] = [
        StatementCase("points add", AddPointApplier.add) { [new($0), users($0), all(5, $0)] },
        StatementCase("points known", AddPointApplier.known) { [known($0), users($0), all(5, $0)] },
        StatementCase("points refuse", AddPointApplier.refuse) { [new($0), all("nobody", $0), all(5, $0)] },
        StatementCase("points refund", RefundPointApplier.give) { [new($0), users($0), all(5, $0)] },
        StatementCase("points refund known", RefundPointApplier.known) { [known($0), users($0), all(5, $0)] },
        StatementCase("points refund unknown", RefundPointApplier.unknown) { [users($0)] },
        StatementCase("points spend: what is there", Spend.purses) { [users($0)] },
        StatementCase("points spend together", Spend.takeTogether) {
            [users($0), all(1, $0), known($0), users($0), all(1, $0)]
        },
        StatementCase("points spend, try together", Spend.reserveTogether) { [users($0), all(1, $0)] },
        StatementCase("points spend confirm", Spend.confirmReserved) {
            [users($0), all(1, $0), known($0), users($0), all(1, $0)]
        },
        StatementCase("points spend cancel", Spend.cancelReserved) { [users($0), all(1, $0)] },
        StatementCase("points spend compensate", Spend.giveBack) {
            [users($0), all(1, $0), known($0), users($0), all(1, $0)]
        },
        StatementCase("points ledger of orders", pointsLedger { "\($0) = ANY ($1::text[])" }) { [known($0)] },
    ]

    private static let orders: [StatementCase] = [
        StatementCase("orders", OrderWriter.orders) {
            [
                .uuids((0..<$0).map { _ in UUID() }), users($0), all(10, $0), all(0, $0), all("message", $0),
                all(nil, $0), all(1_767_225_600_000, $0), all(nil, $0), all(nil, $0),
            ]
        },
        StatementCase("order items", OrderWriter.items) {
            [.uuids((0..<$0).map { _ in UUID() }), products($0), all(1, $0), all(100, $0)]
        },
        StatementCase("orders settle", Settlement.settle) { [known($0)] },
        StatementCase("orders cancel", Settlement.cancel) { [known($0), all("why", $0)] },
        StatementCase("orders cancelling", Settlement.cancelling) { [known($0), all("why", $0)] },
        StatementCase("orders earned", Settlement.earned) { [known($0)] },
        StatementCase("orders taken", Settlement.taken) { [known($0)] },
        StatementCase("orders spent", Settlement.spent) { [known($0)] },
    ]

    /// Not for batches.
    private static let single: [StatementCase] = [
        StatementCase("points spend", Spend.takePlain) { _ in [] },
        StatementCase("points spend in at", Spend.takeAT) { _ in [] },
        StatementCase("points spend try", Spend.takeReserved) { _ in [] },
        StatementCase("user create", UserRoutes.create) { _ in [] },
        StatementCase("product make", ProductRoutes.make) { _ in [] },
        StatementCase("product change", ProductRoutes.change) { _ in [] },
        StatementCase(
            "stock ledger of a range", stockLedger { "\($0) >= $1::text AND \($0) < $2::text" }
        ) { _ in [] },
        StatementCase(
            "points ledger of a range", pointsLedger { "\($0) >= $1::text AND \($0) < $2::text" }
        ) { _ in [] },
    ]

    @Test("find their rows by key, and never go through a batch for each of its rows")
    func plans() async throws {
        try await Self.filled { database in
            let statements = Self.stock + Self.points + Self.orders + Self.single
            let faults = try await StatementCase.faults(of: statements, in: database)
            #expect(faults.isEmpty, "\(faults.joined(separator: "\n"))")
        }
    }

    @Test("cost as much for each item at 500 as at 50")
    func curves() async throws {
        try await Self.filled { database in
            for curve in try await StatementCase.curves(of: Self.stock + Self.points + Self.orders, in: database) {
                #expect(curve.growth < 2, "\(curve)")
            }
        }
    }

    @Test("the triggers and functions of mode at read no table as a whole, as whoever planned them")
    func modeAt() async throws {
        try await Self.filled { database in
            let read = try await database.transaction { transaction in
                // What this connection had read before, as PostgreSQL's counters do not begin with a transaction.
                let before = try transaction.tablesRead()
                // As other connections plan: the functions see to it themselves.
                transaction.add(
                    "SELECT set_config('enable_seqscan', 'on', true), set_config('plan_cache_mode', 'auto', true)")
                transaction.add("SELECT set_config('settle.xid', 'x', true)")
                for number in 1...20 {
                    transaction.add(
                        "UPDATE product SET available = available - 1 WHERE sku = $1", [.text("sku-\(number)")])
                }
                transaction.add("SELECT settle.at_limit('x', 100)")
                transaction.add("SELECT settle.at_check('product', $1::text[])", [.texts(["sku-1"])])
                transaction.add("SELECT settle.at_commit($1::text[])", [.texts(["x"])])
                transaction.add("SELECT set_config('settle.xid', '', true)")
                for number in 1...20 {
                    transaction.add("UPDATE user_points SET points = 1 WHERE user_name = $1", [.text("user-\(number)")])
                }
                return try transaction.tablesRead().filter { before[$0.key] != $0.value }.keys.sorted()
            }
            // Its only rows are the enrolled tables; and `kept` has none, as the tables that inherit from it have them.
            #expect(Set(read).isSubset(of: ["enrolled", "kept"]), "\(read)")
        }
    }
}

extension PostgresTransaction {
    /// How many times each table was read as a whole.
    fileprivate func tablesRead() throws -> [String: Int] {
        try query(
            """
            SELECT relname::text, seq_scan FROM pg_stat_xact_all_tables
            WHERE seq_scan > 0 AND schemaname IN ('public', 'settle')
            """
        ).reduce(into: [:]) { $0[try $1.decode(String.self, at: 0)] = try $1.decode(Int.self, at: 1) }
    }
}
