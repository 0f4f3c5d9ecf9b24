import Foundation
import Settle
import SettlePostgres
import SettlePostgresTestSupport
import ShopContract
import Testing

@testable import ShopStock
@testable import ShopUserPoints

@Suite(
    "The ledgers of stock and user-points", .serialized, .enabled(if: ScratchDatabase.serverURL != nil),
    .timeLimit(.minutes(3)))
struct LedgerTests {
    @Test(
        "hold what each mode takes, alone and in groups, and nothing of what is rolled back",
        arguments: LedgerBed.modes, [false, true])
    func modes(mode: BranchMode, isGrouped: Bool) async throws {
        try await LedgerBed.with { bed in
            let orders = ["a", "b", "c", "d", "e"]
            try await bed.fill(orders)
            let apart = mode == .at || mode == .xa
            let taken = try await bed.take(mode, orders, isGrouped: isGrouped, apart: apart)
            let spent = try await bed.spend(mode, orders, isGrouped: isGrouped, apart: apart)
            #expect(try await bed.differences() == [], "while all is undecided")
            for (kept, undone) in [(taken[..<3], taken[3...]), (spent[..<3], spent[3...])] {
                _ = try await bed.participant.commit(Array(kept))
                #expect(try await bed.differences() == [], "while some is undecided")
                _ = try await bed.participant.rollBack(Array(undone))
            }
            #expect(try await bed.differences() == [])
            #expect(try await bed.taken(orders, apart: apart) == ["a", "b", "c"])
            #expect(try await bed.stock.entries(of: orders).count == 3)
            #expect(try await bed.spent(orders, apart: apart) == ["a", "b", "c"])
            #expect(try await bed.points.entries(of: orders).count == 3)
        }
    }

    @Test("hold what an order takes by several transactions, and one that is refused takes nothing")
    func several() async throws {
        try await LedgerBed.with { bed in
            try await bed.fill()
            for mode in LedgerBed.modes {
                for _ in 1...2 { _ = try await bed.participant.commit(try await bed.take(mode, ["o"])) }
                await #expect(throws: BranchRefusal.self) {
                    _ = try await bed.participant.perform(
                        ShopActions.deduct,
                        request: try JSONEncoder().encode(
                            StockChange(
                                orderId: "o",
                                items: [
                                    StockItem(sku: "cup", quantity: 1), StockItem(sku: "tea", quantity: 100_000),
                                ])), context: BranchContext(xid: XID(), mode: mode, initiator: "order"))
                }
            }
            _ = try await bed.participant.commit(try await bed.take(.saga, ["o", "o"], isGrouped: true))
            let lines = try await bed.stock.entries(of: ["o"]).first?.lines
            #expect(
                lines == [
                    LedgerLine(account: "cup", kind: "taken", amount: 10),
                    LedgerLine(account: "tea", kind: "taken", amount: 20),
                ])
            #expect(try await bed.differences() == [])
        }
    }

    @Test("hold what tasks take, add and give back")
    func tasks() async throws {
        try await LedgerBed.with { bed in
            try await bed.fill()
            let orders = ["a", "b", "rich", "poor"]
            func task<Body>(_ body: Body) -> ReceivedTask<Body> {
                ReceivedTask(
                    message: TaskMessage(
                        id: 1, createTime: 0, updateTime: 0, taskType: "", mqExchange: "", mqRoutingkey: "",
                        requestBody: ""), body: body)
            }
            var changes = orders.map { task(LedgerBed.items($0)) }
            changes[3] = task(StockChange(orderId: "poor", items: [StockItem(sku: "tea", quantity: 100_000)]))
            _ = try await DeductStockApplier(database: bed.database).apply(changes)
            _ = try await RestockApplier(database: bed.database).apply([changes[1], changes[3]])
            let points = orders.map { task(AddPoint(userName: "bob", orderId: $0, point: 7)) }
            _ = try await AddPointApplier(database: bed.database).apply(Array(points[..<2]))
            let spent = try await bed.spend(.saga, ["a", "rich"], isGrouped: true)
            _ = try await bed.participant.commit(spent)
            _ = try await RefundPointApplier(database: bed.database).apply([
                task(AddPoint(userName: "ann", orderId: "a", point: 5))
            ])
            #expect(try await bed.taken(orders) == ["a", "rich"])
            #expect(try await bed.spent(orders) == ["rich"])
            let earned = try await bed.points.entries(of: ["a", "b"]).sorted { $0.key < $1.key }
            #expect(
                earned
                    == ["a", "b"].map { order in
                        LedgerEntry(key: order, lines: [LedgerLine(account: "bob", kind: "earned", amount: 7)])
                    })
            #expect(try await bed.differences() == [])
        }
    }

    @Test("hold what PUT changes: of a product each time, of a user at first")
    func puts() async throws {
        try await LedgerBed.with { bed in
            try await bed.fill()
            _ = try await bed.take(.tcc, ["a"])
            for available in [5_000, 5_000, 3] {
                try await bed.database.transaction { transaction in
                    transaction.add(ProductRoutes.make, ["tea", "Tea", 1])
                    transaction.add(ProductRoutes.change, ["tea", "Tea", 1, .int(available)])
                }
            }
            _ = try await bed.database.query(UserRoutes.create, ["ann", 9])
            #expect(try await bed.differences() == [])
            let changes = try await bed.database.query(
                "SELECT available FROM product_change WHERE sku = 'tea' ORDER BY id"
            ).map { try $0.decode(Int.self, at: 0) }
            #expect(changes == [1_000, 4_002, -4_997])
        }
    }
}

@Suite(
    "Balances that are not the sum of their ledger", .serialized, .enabled(if: ScratchDatabase.serverURL != nil),
    .timeLimit(.minutes(3)))
struct BalanceTests {
    private static let corruptions: [String: [(String, String, Int64, Int64)]] = [
        "UPDATE product SET available = available - 3 WHERE sku = 'tea'": [("tea", "available", 995, 998)],
        "UPDATE product SET reserved = 4 WHERE sku = 'cup'": [("cup", "reserved", 4, 0)],
        "UPDATE user_points SET points = points + 1 WHERE user_name = 'ann'": [("ann", "points", 996, 995)],
        "DELETE FROM stock_taken": [("cup", "available", 999, 1_000), ("tea", "available", 998, 1_000)],
        "INSERT INTO point_spent (order_id, user_name, point) SELECT order_id, user_name, point FROM point_spent": [
            ("ann", "points", 995, 990)
        ],
        "DELETE FROM user_points WHERE user_name = 'bob'": [("bob", "points", 0, 1_000)],
        """
        INSERT INTO settle.ledger_adjustment (id, key, account, kind, amount, reason)
        VALUES (gen_random_uuid(), 'a', 'tea', 'taken', -2, 'a test')
        """: [("tea", "available", 998, 1_000)],
    ]

    @Test("are found, whatever was changed behind the services' back", arguments: corruptions.keys.sorted())
    func found(corruption: String) async throws {
        try await LedgerBed.with { bed in
            try await bed.fill()
            _ = try await bed.participant.commit(
                try await bed.take(.saga, ["a"]) + bed.spend(.xa, ["a"]))
            #expect(try await bed.differences() == [])
            _ = try await bed.database.query(corruption)
            let expected = try #require(Self.corruptions[corruption]).map {
                BalanceDifference(account: $0.0, column: $0.1, balance: $0.2, ledger: $0.3)
            }
            #expect(try await bed.differences() == expected)
        }
    }

    @Test("are set right while orders go on; not twice, not where somebody holds the row, not where there is no row")
    func correction() async throws {
        try await LedgerBed.with { bed in
            try await bed.fill()
            _ = try await bed.database.query(
                "UPDATE product SET available = available + CASE sku WHEN 'tea' THEN 10 ELSE -20 END")
            _ = try await bed.database.query(
                "INSERT INTO product_change (sku, available, why) VALUES ('gone', 7, 'put')")
            let seen = try await bed.stock.balances()
            #expect(seen.accounts == 2)
            #expect(
                seen.differences == [
                    BalanceDifference(account: "cup", column: "available", balance: 980, ledger: 1_000),
                    BalanceDifference(account: "gone", column: "available", balance: 0, ledger: 7),
                    BalanceDifference(account: "tea", column: "available", balance: 1_010, ledger: 1_000),
                ])
            // Somebody takes both meanwhile, and holds both in mode `at`.
            let xids = try await bed.take(.at, ["a"])
            #expect(try await bed.stock.correct(seen.differences, reason: "a test") == [])
            _ = try await bed.participant.commit(xids)
            var other = seen.differences
            other[0] = BalanceDifference(account: "cup", column: "available", balance: 980, ledger: 1_001)
            #expect(try await bed.stock.correct(other, reason: "a test") == [seen.differences[2]])
            #expect(try await bed.stock.correct(seen.differences, reason: "a test") == [seen.differences[0]])
            #expect(try await bed.stock.correct(seen.differences, reason: "a test") == [])
            #expect(try await bed.stock.balances().differences == [seen.differences[1]])
            let available = try await bed.database.query("SELECT available FROM product ORDER BY sku")
                .map { try $0.decode(Int.self, at: 0) }
            #expect(available == [999, 998])
        }
    }

    @Test("a row that is held keeps no other from being set right")
    func heldNeighbour() async throws {
        try await LedgerBed.with { bed in
            try await bed.fill()
            _ = try await bed.database.query("UPDATE product SET available = available + 10")
            let seen = try await bed.stock.balances().differences
            try await bed.database.transaction { transaction in
                transaction.add("SELECT set_config('settle.xid', $1, true)", [.text(XID().rawValue)])
                transaction.add("UPDATE product SET title = 'held' WHERE sku = 'cup'")
            }
            #expect(try await bed.stock.correct(seen, reason: "a test").map(\.account) == ["tea"])
        }
    }

    @Test("are told up to a limit, and that there are more")
    func limit() async throws {
        try await LedgerBed.with { bed in
            _ = try await bed.database.query(
                """
                INSERT INTO product (sku, title, unit_price, available)
                SELECT 'sku-' || n, 'title', 1, 5 FROM generate_series(1, 1200) n
                """)
            let all = try await bed.stock.balances()
            #expect(all.differences.count == BalanceComparison.limit && all.more && all.accounts == 1_200)
            #expect(try await bed.stock.correct(all.differences, reason: "a test").count == 1_000)
            let rest = try await bed.stock.balances()
            #expect(rest.differences.count == 200 && !rest.more)
        }
    }
}
