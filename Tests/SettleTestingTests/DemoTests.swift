import Settle
import SettlePostgres
import SettleSchema
import SettleTesting
import ShopContract
import ShopPointsSchema
import ShopStockSchema
import Testing

@testable import ShopStock
@testable import ShopUserPoints

@Suite(
    "The demo's own code keeps the rules", .serialized, .enabled(if: TestBase.serverURL != nil), .timeLimit(.minutes(2))
)
struct DemoTests {
    private static let library: [MigrationSet] = [
        SettleSchema.transactions, SettleSchema.at,
    ]

    private func withPoints(_ body: (PostgresDatabase) async throws -> Void) async throws {
        try await TestBase.with(Self.library + [PointsSchema.migrations]) { database in
            _ = try await database.query("INSERT INTO user_points (user_name, points) VALUES ('ann', 100)")
            try await body(database)
        }
    }

    private func withStock(_ body: (PostgresDatabase) async throws -> Void) async throws {
        try await TestBase.with(Self.library + [StockSchema.migrations]) { database in
            _ = try await database.query(
                "INSERT INTO product (sku, title, unit_price, available) VALUES ('tea', 'Tea', 120, 1000), ('cup', 'Cup', 1, 9)"
            )
            try await body(database)
        }
    }

    private func points(_ order: String, _ user: String = "ann", _ point: Int64 = 5) -> AddPoint {
        AddPoint(userName: user, orderId: order, point: point)
    }

    private func items(_ order: String, tea: Int64 = 2, cups: Int64 = 1, xid: String? = nil) -> StockChange {
        StockChange(
            orderId: order,
            items: [StockItem(sku: "tea", quantity: tea)] + (cups > 0 ? [StockItem(sku: "cup", quantity: cups)] : []),
            xid: xid)
    }

    @Test("addpoint")
    func addPoint() async throws {
        try await withPoints { database in
            try await verifyExactlyOnce(
                in: database, task: { points("o\($0)") }, refused: { points("r\($0)", "nobody") },
                conflicting: { points($0.orderId, "ann", 6) }
            ) { AddPointApplier(database: $0) }
        }
    }

    @Test("refundpoint")
    func refundPoint() async throws {
        try await withPoints { database in
            try await verifyExactlyOnce(
                in: database, task: { points("o\($0)") }, refused: { points("r\($0)", "nobody") },
                conflicting: { points($0.orderId, "ann", 6) }
            ) { RefundPointApplier(database: $0) }
        }
    }

    @Test("deductstock")
    func deductStock() async throws {
        try await withStock { database in
            try await verifyExactlyOnce(
                in: database, task: { items("o\($0)", cups: 0) }, refused: { items("r\($0)", cups: 1000) },
                conflicting: { items($0.orderId, tea: 3, cups: 0) }
            ) { DeductStockApplier(database: $0) }
        }
    }

    @Test("restock")
    func restock() async throws {
        try await withStock { database in
            try await verifyExactlyOnce(
                in: database, task: { items("o\($0)", xid: "x\($0)") }, refused: { items("r\($0)") },
                conflicting: { items($0.orderId, tea: 3, xid: "x1") }
            ) { RestockApplier(database: $0) }
        }
    }

    /// What a ledger comes to: nothing is ever taken out of it, so a compensation is one more line.
    private static func net(_ parts: [String]) -> String {
        """
        SELECT key, account, kind, sum(amount) AS amount
        FROM (\(parts.joined(separator: " UNION ALL "))) line (key, account, kind, amount)
        GROUP BY key, account, kind HAVING sum(amount) <> 0
        """
    }

    @Test("the branches of stock and user-points in the modes tcc and saga")
    func branches() async throws {
        func reversible(_ handlers: [BranchHandler]) -> [BranchHandler] {
            handlers.filter { $0.mode == .tcc || $0.mode == .saga }
        }
        try await withStock { database in
            for handler in reversible(Deduct.handlers) {
                try await verifyBranch(
                    handler, items("o"), refused: items("o", tea: 100_000), in: database,
                    comparing: .rows(of: "SELECT * FROM product", Self.net(StockLedger.parts { _ in "true" })))
            }
        }
        try await withPoints { database in
            for handler in reversible(Spend.handlers) {
                try await verifyBranch(
                    handler, points("o"), refused: points("o", "ann", 1000), in: database,
                    comparing: .rows(of: "SELECT * FROM user_points", Self.net(PointsLedger.parts { _ in "true" })))
            }
        }
    }
}
