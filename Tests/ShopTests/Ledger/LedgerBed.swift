import Foundation
import Settle
import SettlePostgres
import SettlePostgresTestSupport
import SettleSchema
import SettleTestSupport
import ShopContract
import ShopPointsSchema
import ShopStockSchema

@testable import ShopStock
@testable import ShopUserPoints

/// Stock and user-points in one database, both as one participant, with what they keep of orders.
struct LedgerBed {
    let database: PostgresDatabase
    let participant: Participant
    let stock: DatabaseLedger
    let points: DatabaseLedger

    static let modes: [BranchMode] = [.at, .tcc, .xa, .saga]

    /// - Parameters:
    ///   - sets: the tables of both.
    ///   - handlers: what they can do.
    static func with(
        _ sets: [MigrationSet] = [StockSchema.migrations, PointsSchema.migrations],
        _ handlers: [BranchHandler] = Deduct.handlers + Spend.handlers, _ body: (LedgerBed) async throws -> Void
    ) async throws {
        let library = [SettleSchema.transactions, SettleSchema.at, SettleSchema.ledger]
        try await ScratchDatabase.with(library + sets) { database in try await body(LedgerBed(database, handlers)) }
    }

    init(_ database: PostgresDatabase, _ handlers: [BranchHandler]) {
        self.database = database
        participant = Participant(
            name: "shop-\(UUID().uuidString.prefix(8))", database: database, ending: database, handlers: handlers,
            logger: quiet)
        stock = DatabaseLedger(
            StockLedger.source, balances: StockLedger.table(in: database, logger: quiet), in: database)
        points = DatabaseLedger(
            PointsLedger.source, balances: PointsLedger.table(in: database, logger: quiet), in: database)
    }

    /// The same database with other actions.
    func doing(_ handlers: [BranchHandler]) -> LedgerBed { LedgerBed(database, handlers) }

    /// As the services' own routes would: for those that share what there is, and for one each of `orders`.
    func fill(_ orders: [String] = []) async throws {
        for order in [nil] + orders {
            for sku in ["cup", "tea"].map({ Self.own($0, order) }) {
                try await database.transaction { transaction in
                    transaction.add(ProductRoutes.make, [.text(sku), .text(sku), .int(10)])
                    transaction.add(ProductRoutes.change, [.text(sku), .text(sku), .int(10), .int(1_000)])
                }
            }
            _ = try await database.query(UserRoutes.create, [.text(Self.own("ann", order)), .int(1_000)])
        }
        _ = try await database.query(UserRoutes.create, ["bob", 1_000])
    }

    /// A part for each of `orders`, under an XID of its own: all in one request, or each in one.
    ///
    /// - Parameter apart: whether each has products of its own; two that are undecided cannot share one in `at` and `xa`.
    func take(_ mode: BranchMode, _ orders: [String], isGrouped: Bool = false, apart: Bool = false) async throws
        -> [XID]
    {
        try await perform(
            ShopActions.deduct, mode, isGrouped: isGrouped, orders.map { Self.items($0, of: apart ? $0 : nil) })
    }

    /// As `take`, of points.
    func spend(_ mode: BranchMode, _ orders: [String], isGrouped: Bool = false, apart: Bool = false) async throws
        -> [XID]
    {
        try await perform(
            ShopActions.spend, mode, isGrouped: isGrouped,
            orders.map { AddPoint(userName: Self.own("ann", apart ? $0 : nil), orderId: $0, point: 5) })
    }

    static func items(_ order: String, of owner: String? = nil) -> StockChange {
        StockChange(
            orderId: order,
            items: [StockItem(sku: own("tea", owner), quantity: 2), StockItem(sku: own("cup", owner), quantity: 1)])
    }

    private static func own(_ name: String, _ owner: String?) -> String { owner.map { "\(name)-\($0)" } ?? name }

    private func perform(
        _ action: String, _ mode: BranchMode, isGrouped: Bool, _ bodies: [some Encodable]
    ) async throws -> [XID] {
        let requests = try bodies.map {
            BranchRequest(
                body: try JSONEncoder().encode($0), context: BranchContext(xid: XID(), mode: mode, initiator: "order"))
        }
        if isGrouped {
            for answer in await participant.perform(action, group: requests) { _ = try answer.get() }
        } else {
            for request in requests {
                _ = try await participant.perform(action, request: request.body, context: request.context)
            }
        }
        return requests.map(\.context.xid)
    }

    /// All balances that are not the sum of their ledger.
    func differences() async throws -> [BalanceDifference] {
        try await stock.balances().differences + points.balances().differences
    }

    /// The keys of which a ledger holds what `take` takes once.
    func taken(_ orders: [String], apart: Bool = false) async throws -> [String] {
        try await stock.entries(of: orders).filter { entry in
            let owner = apart ? entry.key : nil
            return entry.lines == [
                LedgerLine(account: Self.own("cup", owner), kind: "taken", amount: 1),
                LedgerLine(account: Self.own("tea", owner), kind: "taken", amount: 2),
            ]
        }.map(\.key).sorted()
    }

    /// The same of `spend`.
    func spent(_ orders: [String], apart: Bool = false) async throws -> [String] {
        try await points.entries(of: orders).filter { entry in
            let owner = apart ? entry.key : nil
            return entry.lines == [LedgerLine(account: Self.own("ann", owner), kind: "spent", amount: 5)]
        }.map(\.key).sorted()
    }
}
