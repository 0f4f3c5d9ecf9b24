import Foundation
import Settle
import SettlePostgres
import SettlePostgresTestSupport
import SettleRedis
import SettleSchema
import SettleTestSupport
import ShopContract
import ShopStockSchema
import Testing

@testable import ShopStock

/// What is asked for while the count in Redis is made anew.
@Suite(
    "Flash products that are counted anew", .serialized,
    .enabled(if: redisURL != nil && ScratchDatabase.serverURL != nil), .timeLimit(.minutes(1)))
struct FlashDeductTests {
    /// Redis forgets between the memory of branches and their parts; so the new count begins with branches of which nobody
    /// knows whether they have taken anything.
    private struct Forgotten: MTGroupAction {
        typealias Request = StockChange
        typealias Answer = QuoteAnswer

        let deduct: FlashDeduct

        func prepare(_ parts: [ResourcePart<StockChange>]) async -> [Result<QuoteAnswer, any Error>] {
            do {
                let open = try await deduct.keeper.open()
                try await deduct.keeper.stock.close()
                let look = FlashScripts.commit(keys: FlashScripts.keys, [String(open.epoch.number)])
                await #expect(throws: FlashStock.Lost.self) { try await deduct.keeper.run([look], by: open) }
                _ = try await deduct.keeper.open(within: .seconds(10))
            } catch {
                return parts.map { _ in .failure(error) }
            }
            return await deduct.prepare(parts)
        }

        func commit(_ parts: [ResourcePart<StockChange>]) async throws { try await deduct.commit(parts) }
        func rollback(_ parts: [ResourcePart<StockChange>]) async throws { try await deduct.rollback(parts) }
        func book(_ orders: [StockChange], in transaction: borrowing PostgresTransaction) throws {
            try deduct.book(orders, in: transaction)
        }
    }

    private func with(
        available: Int64, forgetting: Bool = true, _ body: (LedgerBed, FlashStock) async throws -> Void
    ) async throws {
        let sets = [SettleSchema.transactions, SettleSchema.at, SettleSchema.ledger, StockSchema.migrations]
        try await ScratchDatabase.with(sets, connections: 4) { database in
            let redis = RedisClient(try RedisConfiguration(url: try #require(redisURL)), logger: quiet)
            let keeper = FlashKeeper(
                stock: FlashStock(redis: redis), book: FlashBook(database: database), logger: quiet, ready: {})
            try await serving([redis, keeper]) {
                try await eventually("Redis answers") { redis.isUp }
                _ = try await redis.send([RedisCommand(["DEL"] + FlashScripts.keys)])
                _ = try await database.query(
                    "INSERT INTO product (sku, title, unit_price, available, flash) VALUES ('hot', 'hot', 10, $1, true)",
                    [.int64(available)])
                let deduct = FlashDeduct(keeper: keeper)
                let handler: BranchHandler =
                    forgetting
                    ? .mt(ShopActions.deduct, Forgotten(deduct: deduct)) : .mt(ShopActions.deduct, deduct)
                try await body(LedgerBed(database, [handler]), keeper.stock)
                _ = try await redis.send([RedisCommand(["DEL"] + FlashScripts.keys)])
            }
        }
    }

    @Test("a Redis that goes back in time while it runs counts nothing until it is counted anew")
    func backInTime() async throws {
        try await with(available: 9, forgetting: false) { bed, stock in
            let requests = try requests([1, 2, 1, 1])
            func take(_ number: Int) async throws {
                _ = try await bed.participant.perform(
                    ShopActions.deduct, request: requests[number].body, context: requests[number].context)
            }
            func copy(_ from: String, _ to: String) async throws {
                _ = try await stock.redis.send(
                    FlashScripts.keys.map { RedisCommand(["COPY", $0 + from, $0 + to, "REPLACE"]) })
            }
            try await take(0)
            try await copy("", ":old")
            try await take(1)
            try await copy(":old", "")
            await #expect(throws: BranchError.resourceAway) { try await take(2) }
            _ = try await bed.participant.rollBack([requests[2].context.xid])
            try await take(3)
            #expect(try await counted(stock) == ("\(9 - 1 - 2 - 1)", 3))
            _ = try await stock.redis.send([RedisCommand(["DEL"] + FlashScripts.keys.map { $0 + ":old" })])
        }
    }

    /// Two replicas find the count lost at the same moment, and each makes it anew, step by step.
    @Test("of those who count anew at the same time only the one that nobody came in between is believed")
    func atTheSameTime() async throws {
        try await with(available: 9, forgetting: false) { bed, stock in
            let book = FlashBook(database: bed.database)
            let runID = try await stock.runID()
            func end(_ known: FlashBook.Epoch, _ name: String) async throws -> String {
                let end = FlashScripts.end(keys: FlashScripts.keys, [String(known.number), name])
                return try await stock.run([end], on: runID)[0].word
            }
            func begin(_ count: FlashBook.Count, _ name: String) async throws -> String {
                try await stock.run([FlashScripts.begin(count, by: name)], on: runID)[0].word
            }
            func look(_ epoch: FlashBook.Epoch) async throws {
                let look = FlashScripts.commit(keys: FlashScripts.keys, [String(epoch.number)])
                _ = try await stock.run([look], on: runID)
            }
            // Has it counted; nobody asks the keeper of this test after that, so it does nothing more.
            let first = try requests([1])[0]
            _ = try await bed.participant.perform(ShopActions.deduct, request: first.body, context: first.context)

            let before = try await book.epoch()
            #expect(try await end(before, "one") == "done")
            let one = try #require(await book.next(after: before, least: 0, runID: runID))
            #expect(try await end(one.epoch, "two") == "done")
            let two = try #require(await book.next(after: one.epoch, least: 0, runID: runID))
            // What is taken by the first one's count would not be in the second one's.
            #expect(try await begin(one, "one") == "ended")
            await #expect(throws: FlashStock.Lost.self) { try await look(one.epoch) }
            #expect(try await begin(two, "two") == "done")
            try await look(two.epoch)

            // Emptied after the book was read, or closed for a change of a product.
            #expect(try await end(two.epoch, "three") == "done")
            let three = try #require(await book.next(after: two.epoch, least: 0, runID: runID))
            try await stock.close()
            #expect(try await begin(three, "three") == "ended")
            await #expect(throws: FlashStock.Lost.self) { try await look(three.epoch) }

            // Who knows only an older epoch does not end a later one.
            #expect(try await end(one.epoch, "four") == "later")
        }
    }

    private func requests(_ quantities: [Int64]) throws -> [BranchRequest] {
        try quantities.enumerated().map { number, quantity in
            let change = StockChange(orderId: "o\(number)", items: [StockItem(sku: "hot", quantity: quantity)])
            return BranchRequest(
                body: try JSONEncoder().encode(change),
                context: BranchContext(xid: XID(), mode: .mt, initiator: "order"))
        }
    }

    private func counted(_ stock: FlashStock) async throws -> (available: String?, kept: Int) {
        let replies = try await stock.redis.send([
            RedisCommand(["HGET", FlashScripts.stock, "hot"]), RedisCommand(["HLEN", FlashScripts.kept]),
        ])
        guard case .integer(let kept) = replies[1] else { return (replies[0].text, -1) }
        return (replies[0].text, Int(kept) - 1)
    }

    @Test(
        "no more is taken than there is, and nobody is refused for good for the sake of those who may yet take nothing",
        arguments: [
            (quantities: [1, 1, 1, 1, 1, 1, 1, 1, 1, 1], taken: 5, short: 0),
            // Whoever asks for too much is refused for good once nobody else is in doubt.
            ([1, 2, 1_000_000], 2, 1),
            ([5], 1, 0),
            ([6], 0, 1),
        ])
    func forgotten(quantities: [Int64], taken: Int, short: Int) async throws {
        try await with(available: 5) { bed, stock in
            let requests = try requests(quantities)
            var left = requests
            var done: [BranchRequest] = []
            var refused = 0
            // Those who are told to come again do: nothing was taken for them.
            for _ in 0..<quantities.count where !left.isEmpty {
                var again: [BranchRequest] = []
                for (request, answer) in zip(left, await bed.participant.perform(ShopActions.deduct, group: left)) {
                    do {
                        _ = try answer.get()
                        done.append(request)
                    } catch let refusal as BranchRefusal {
                        if refusal.code == "insufficient-stock" { refused += 1 } else { again.append(request) }
                    }
                }
                left = again
            }
            #expect(done.count == taken)
            #expect(left.isEmpty && refused >= short && done.count + refused == quantities.count)
            let sold = try done.map { try JSONDecoder().decode(StockChange.self, from: $0.body) }
                .reduce(0) { $0 + $1.items[0].quantity }
            #expect(try await counted(stock).available == "\(5 - sold)")
            _ = try await bed.participant.commit(done.map(\.context.xid))
            let available = try await bed.database.query("SELECT available::bigint FROM product")[0]
                .decode(Int64.self, at: 0)
            #expect(available == 5 - sold)
            #expect(try await counted(stock) == ("\(available)", 0))
        }
    }
}

private let redisURL = ProcessInfo.processInfo.environment["SETTLE_TEST_REDIS_URL"]
