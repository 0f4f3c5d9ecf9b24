import Settle
import SettlePostgres
import SettlePostgresTestSupport
import ShopContract
import ShopPointsSchema
import ShopStockSchema
import Testing

@testable import ShopStock
@testable import ShopUserPoints

@Suite(
    "Ledgers that begin in the middle", .serialized, .enabled(if: ScratchDatabase.serverURL != nil),
    .timeLimit(.minutes(3)))
struct LedgerUpgradeTests {
    /// As the services did before there were ledgers.
    private struct Before<Request: Codable & Sendable>: LocalAction, TCCAction, SagaAction {
        struct Done: Codable, Sendable {}
        let table: String
        let key: String
        let column: String
        let amounts: @Sendable (Request) -> [(String, Int64)]

        func perform(_ request: Request, in transaction: borrowing PostgresTransaction) throws -> Done {
            change([request], "\(column) = \(column) - $2", in: transaction)
            return Done()
        }

        func `try`(_ request: Request, in transaction: borrowing PostgresTransaction) throws -> Done {
            change([request], "\(column) = \(column) - $2, reserved = reserved + $2", in: transaction)
            return Done()
        }

        func confirm(_ requests: [Request], in transaction: borrowing PostgresTransaction) throws {
            change(requests, "reserved = reserved - $2", in: transaction)
        }

        func cancel(_ requests: [Request], in transaction: borrowing PostgresTransaction) throws {
            change(requests, "\(column) = \(column) + $2, reserved = reserved - $2", in: transaction)
        }

        func compensate(_ requests: [Request], in transaction: borrowing PostgresTransaction) throws {
            change(requests, "\(column) = \(column) + $2", in: transaction)
        }

        private func change(
            _ requests: [Request], _ assignments: String, in transaction: borrowing PostgresTransaction
        ) {
            for (account, amount) in requests.flatMap(amounts) {
                transaction.add(
                    "UPDATE \(table) SET \(assignments) WHERE \(key) = $1", [.text(account), .int64(amount)])
            }
        }

        func handlers(_ name: String) -> [BranchHandler] {
            [.at(name, self), .tcc(name, self), .xa(name, self), .saga(name, self)]
        }
    }

    private static let before =
        Before<StockChange>(table: "product", key: "sku", column: "available") {
            $0.items.map { ($0.sku, $0.quantity) }
        }
        .handlers(ShopActions.deduct)
        + Before<AddPoint>(table: "user_points", key: "user_name", column: "points") { [($0.userName, $0.point)] }
        .handlers(ShopActions.spend)

    private static func sets(before: Bool) -> [MigrationSet] {
        [
            MigrationSet("stock", StockSchema.migrations.migrations.filter { !before || $0.name < "stock_0003" }),
            MigrationSet(
                "user-points", PointsSchema.migrations.migrations.filter { !before || $0.name < "points_0005" }),
        ]
    }

    private func fill(_ database: PostgresDatabase) async throws {
        try await database.script(
            """
            INSERT INTO product (sku, title, unit_price, available) VALUES ('tea', 'Tea', 1, 1000), ('cup', 'Cup', 1, 1000);
            INSERT INTO user_points (user_name, points) VALUES ('ann', 1000), ('bob', 1000);
            INSERT INTO stock_log (order_id, action, items, rejected) VALUES
                ('old', 'deduct', '[{"sku": "tea", "quantity": 3}]', NULL),
                ('old', 'restock', '[{"sku": "tea", "quantity": 3}]', NULL),
                ('kept', 'deduct', '[{"sku": "tea", "quantity": 4}]', NULL),
                ('no', 'deduct', '[{"sku": "tea", "quantity": 9}]', 'why');
            INSERT INTO point_log (order_id, user_id, point) SELECT 'kept', user_id, 6 FROM user_points WHERE user_name = 'ann';
            INSERT INTO point_refund (order_id, user_name, point) VALUES ('old', 'ann', 2);
            """)
    }

    @Test(
        "agree from the first moment on, whatever was undecided then and however it ends",
        arguments: [BranchMode.at, .tcc, .saga], [true, false])
    func undecided(mode: BranchMode, commits: Bool) async throws {
        try await LedgerBed.with(Self.sets(before: true), Self.before) { old in
            try await fill(old.database)
            let done = try await old.take(mode, ["done"]) + old.spend(mode, ["done"])
            _ = try await old.participant.commit(done)
            let undone = try await old.take(mode, ["no"]) + old.spend(mode, ["no"])
            _ = try await old.participant.rollBack(undone)
            let open = try await old.take(mode, ["open"]) + old.spend(mode, ["open"])

            for set in Self.sets(before: false) { try await PostgresMigrator.apply(set, on: old.database) }
            let new = old.doing(Deduct.handlers + Spend.handlers)
            #expect(try await new.differences() == [])
            if commits {
                _ = try await new.participant.commit(open)
            } else {
                _ = try await new.participant.rollBack(open)
            }
            #expect(try await new.differences() == [])
            let expected = commits ? ["done", "open"] : ["done"]
            #expect(try await new.taken(["done", "no", "open"]) == expected)
            #expect(try await new.spent(["done", "no", "open"]) == expected)
            #expect(try await new.stock.entries(of: ["kept"]).first?.lines.first?.amount == 4)
            #expect(try await new.stock.entries(of: ["no", "old"]).isEmpty)
            #expect(try await new.database.query("SELECT FROM settle.undo_log").isEmpty)
        }
    }

    @Test("wait for what is prepared, as nobody sees what it took")
    func prepared() async throws {
        try await LedgerBed.with(Self.sets(before: true), Self.before) { old in
            try await fill(old.database)
            let open = try await old.take(.xa, ["open"]) + old.spend(.xa, ["open"])
            for set in Self.sets(before: false) {
                await #expect(throws: PostgresMigrationError.self) {
                    try await PostgresMigrator.apply(set, on: old.database, lockTimeout: .milliseconds(100))
                }
            }
            _ = try await old.participant.commit(open)
            for set in Self.sets(before: false) { try await PostgresMigrator.apply(set, on: old.database) }
            #expect(try await old.differences() == [])
            #expect(try await old.taken(["open"]) == ["open"])
            #expect(try await old.spent(["open"]) == ["open"])
        }
    }
}
