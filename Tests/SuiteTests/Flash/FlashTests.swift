import Foundation
import SettleRedis
import SettleTestSupport
import Testing

extension Proof {
    /// Products whose stock is counted in Redis: sold by mode `mt`, whatever an order asks for.
    @Suite("Flash products", .timeLimit(.minutes(6)))
    struct FlashTests {
        private static let first = 100_000

        private func draft(_ mode: OrderDraft.Mode = .all("at")) -> @Sendable (Int) -> OrderDraft {
            { number in
                var draft = OrderDraft(Seed.users[number % 3], number % 3 == 0 ? ["hot": 2, "tea": 1] : ["hot": 1])
                draft.mode = mode
                return draft
            }
        }

        @Test(
            "are taken beside the others in any mode, in one transaction, and are in the books",
            arguments: [.message, .centre] + OrderDraft.Mode.each)
        func modes(mode: OrderDraft.Mode) async throws {
            try await Suite.with(centre: mode == .centre) { suite in
                #expect(try await suite.putFlash("hot", available: Self.first) == 201)
                let load = suite.load(clients: 4, limit: 60, draft: draft(mode))
                let attempts = await load.finished()
                #expect(attempts.allSatisfy { $0.status == 201 }, "\(attempts.summary)")
                try await suite.awaitEnded()
                try await suite.expectAgreement(attempts, available: ["hot": Self.first])
                #expect(try await suite.available("hot") == Self.first - 80)
                try await suite.awaitCounted("hot")
                let branches = try await suite.rows(
                    .stock,
                    "SELECT DISTINCT mode, branch_id FROM settle.branch WHERE state = 'committed' AND mode = 'mt'")
                #expect(!branches.isEmpty)
            }
        }

        @Test("with their user unknown are given back, in Redis too")
        func givenBack() async throws {
            try await Suite.with { suite in
                #expect(try await suite.putFlash("hot", available: Self.first) == 201)
                var draft = OrderDraft("nobody", ["hot": 5, "tea": 1])
                draft.mode = .all("tcc")
                let attempt = try await suite.place(draft)
                #expect(attempt.status == 201)
                try await suite.expectAgreement([attempt], cancelled: 1, available: ["hot": Self.first])
                try await suite.awaitCounted("hot")
                #expect(try await suite.available("hot") == Self.first)
            }
        }

        @Test(
            "are sold to the last one and no further, though Redis is emptied all the time, by one process or two",
            arguments: [1, 2])
        func soldOut(processes: Int) async throws {
            try await Suite.withTransactions { suite in
                var ports = [suite.port(.order)]
                if processes == 2 { ports.append(try await another(suite).order.port) }
                let few = 300
                #expect(try await suite.putFlash("hot", available: few) == 201)
                let load = suite.load(clients: 8, limit: 1_000, ports: ports) { number in
                    var draft = OrderDraft(Seed.users[number % 3], ["hot": 1])
                    draft.mode = .all("tcc")
                    return draft
                }
                for _ in 0..<6 {
                    try await grow(load, by: 40)
                    try await suite.flushRedis()
                }
                var attempts = await load.finished()
                #expect(attempts.allSatisfy { [201, 409, 503].contains($0.status) }, "\(attempts.summary)")
                // What was refused for the emptied Redis' sake may be sold yet.
                for _ in 0..<2_000 where attempts.count(status: 201) < few {
                    var draft = OrderDraft("alice", ["hot": 1])
                    draft.mode = .all("tcc")
                    attempts.append(try await suite.place(draft))
                }
                try await suite.awaitEnded(within: .seconds(60))
                #expect(attempts.count(status: 201) == few, "\(attempts.summary)")
                try await suite.expectAgreement(attempts, available: ["hot": few])
                #expect(try await suite.available("hot") == 0)
            }
        }

        @Test("change their number and their kind while they are sold; what is asked at that moment may come again")
        func changed() async throws {
            try await Suite.with { suite in
                #expect(try await suite.putFlash("hot", available: Self.first) == 201)
                let load = suite.load(clients: 4, draft: draft())
                for number in 1...10 {
                    try await grow(load, by: 20)
                    let status = try await suite.putFlash("hot", price: 100, available: Self.first + number)
                    #expect([200, 409, 503].contains(status))
                }
                let attempts = await load.stop()
                #expect(attempts.allSatisfy { [201, 503].contains($0.status) }, "\(attempts.summary)")
                try await suite.awaitEnded()
                try await suite.awaitSettled()
                try await suite.awaitCounted("hot")
                #expect(try await suite.putFlash("hot", available: 50, flash: false) == 200)
                var plain = OrderDraft("alice", ["hot": 50])
                plain.mode = .all("tcc")
                #expect(try await suite.place(plain).status == 201)
                #expect(try await suite.place(plain).status == 409)
                try await suite.awaitSettled()
                #expect(try await suite.putFlash("hot", available: 7) == 200)
                #expect(try await suite.place(OrderDraft("alice", ["hot": 7])).status == 201)
                try await suite.awaitSettled()
                try await suite.awaitEnded()
                let wrong = try await suite.wrongBalances(openings: [:])
                #expect(wrong.isEmpty, "\(wrong)")
            }
        }

        /// Another order with a stock of its own, on the same databases.
        private func another(_ suite: Suite) async throws -> (order: ServiceProcess, stock: ServiceProcess) {
            let stock = try suite.start(.stock, replica: true)
            try await suite.awaitReady(stock)
            let order = try suite.start(
                .order, replica: true, settings: ["STOCK_URL": "http://127.0.0.1:\(stock.port)"])
            try await suite.awaitReady(order)
            return (order, stock)
        }

        @Test("are sold by two processes of stock, one of which is killed again and again: the books are exact")
        func killed() async throws {
            try await Suite.withTransactions { suite in
                let other = try await another(suite)
                #expect(try await suite.putFlash("hot", available: Self.first) == 201)
                let ports = [suite.port(.order), other.order.port]
                let load = suite.load(clients: 8, pause: .milliseconds(5), ports: ports, draft: draft())
                for _ in 0..<8 {
                    try await grow(load, by: 20)
                    let victim = try #require(suite.running.filter { $0.name.hasPrefix("stock") }.randomElement())
                    try await victim.crash()
                    // Its branches are half done, and the one that is left counts anew.
                    try await suite.flushRedis()
                    try await grow(load, by: 20)
                    try await suite.awaitReady(try suite.startAgain(victim))
                }
                try await expectSoldAgain(suite)
                try await finish(suite, load)
            }
        }

        // MARK: Redis in trouble

        @Test("Redis away: 503, and nothing is taken; back: they are sold again, and the books are exact")
        func away() async throws {
            try await Suite.withTransactions { suite in
                #expect(try await suite.putFlash("hot", available: Self.first) == 201)
                let load = suite.load(clients: 4, draft: draft())
                try await grow(load, by: 60)
                try await Servers.kill(.redis)
                try await eventually("stock knows it") {
                    try await suite.place(OrderDraft("alice", ["hot": 1])).status == 503
                }
                let refused = try await suite.place(OrderDraft("alice", ["hot": 1]))
                #expect(refused.status == 503, "\(refused.outcome)")
                if case .success(let answer) = refused.outcome {
                    #expect(answer.text.contains("/stock-unavailable"), "\(answer.text)")
                    #expect(answer.headers["retry-after"] != nil)
                }
                #expect(try await suite.place(OrderDraft("alice", ["tea": 1])).status == 201, "others are sold")
                try await Servers.start(.redis)
                try await expectSoldAgain(suite)
                try await finish(suite, load)
            }
        }

        @Test("Redis restored from an old file: noticed, and nothing is sold by it")
        func restored() async throws {
            try await Suite.withTransactions { suite in
                #expect(try await suite.putFlash("hot", available: Self.first) == 201)
                let load = suite.load(clients: 4, draft: draft())
                try await grow(load, by: 60)
                _ = try await suite.redis.send([RedisCommand(["SAVE"])])
                try await grow(load, by: 200)
                try await Servers.kill(.redis)
                try await Servers.start(.redis)
                try await expectSoldAgain(suite)
                try await grow(load, by: 60)
                // For the tests that follow: an empty file. The first use of a connection tells that it was lost.
                try await eventually("Redis answers") { (try? await suite.redis.send([RedisCommand(["PING"])])) != nil }
                _ = try await suite.redis.send([RedisCommand(["FLUSHALL"]), RedisCommand(["SAVE"])])
                try await expectSoldAgain(suite)
                try await finish(suite, load)
            }
        }

        @Test("Redis silent for ten seconds: the books are exact")
        func paused() async throws {
            try await Suite.withTransactions { suite in
                #expect(try await suite.putFlash("hot", available: Self.first) == 201)
                let load = suite.load(clients: 4, pause: .milliseconds(5), draft: draft())
                try await grow(load, by: 60)
                _ = try await suite.redis.send([RedisCommand(["CLIENT", "PAUSE", "10000", "ALL"])])
                try await Task.sleep(for: .seconds(11))
                try await expectSoldAgain(suite)
                try await grow(load, by: 60)
                try await finish(suite, load)
            }
        }

        private func expectSoldAgain(_ suite: Suite) async throws {
            try await eventually("flash products are sold again", within: .seconds(30), every: .milliseconds(200)) {
                try await suite.place(OrderDraft("carol", ["hot": 1_000_000])).status == 409
            }
        }

        private func finish(_ suite: Suite, _ load: Load) async throws {
            let attempts = await load.stop()
            #expect(attempts.allSatisfy { [201, 503, 409].contains($0.status) }, "\(attempts.summary)")
            #expect(attempts.count(status: 201) > 60)
            try await suite.awaitEnded(within: .seconds(60))
            try await suite.awaitSettled()
            let wrong = try await suite.wrongBalances(openings: ["hot": Self.first])
            #expect(wrong.isEmpty, "\(wrong)")
            let sold = try await suite.number(
                .order, "SELECT coalesce(sum(quantity), 0)::bigint FROM order_item WHERE sku = 'hot'")
            #expect(try await suite.available("hot") == Self.first - sold)
            try await suite.awaitCounted("hot")
        }

        // MARK: Crashes

        private struct Row {
            let role: Role
            let point: String
            let isCommitted: Bool
            var orderThrows = false
        }

        private static let rows = [
            Row(role: .order, point: "order.branchesDone", isCommitted: false),
            Row(role: .order, point: "order.committed", isCommitted: true),
            Row(role: .order, point: "initiator.beforeCommitRequest", isCommitted: true),
            Row(role: .stock, point: "branch.beforeCommit", isCommitted: false),
            Row(role: .stock, point: "branch.remembered", isCommitted: false),
            Row(role: .stock, point: "branch.prepared", isCommitted: false),
            Row(role: .stock, point: "branch.beforeCommitResource", isCommitted: true),
            Row(role: .stock, point: "branch.duringCommit", isCommitted: true),
            Row(role: .stock, point: "branch.ended.commit", isCommitted: true),
            Row(role: .stock, point: "branch.beforeRollbackResource", isCommitted: false, orderThrows: true),
            Row(role: .stock, point: "branch.duringRollback", isCommitted: false, orderThrows: true),
            Row(role: .stock, point: "branch.ended.rollback", isCommitted: false, orderThrows: true),
        ]

        @Test("a process dies at each point: book and Redis follow the decision, with and without other items")
        func crashes() async throws {
            try await Suite.withTransactions { suite in
                #expect(try await suite.putFlash("hot", available: Self.first) == 201)
                var attempts: [Attempt] = []
                for items: KeyValuePairs<String, Int> in [["hot": 3], ["hot": 3, "tea": 1]] {
                    for row in Self.rows { attempts += try await crash(suite, row, items) }
                }
                try await suite.expectAgreement(attempts, available: ["hot": Self.first])
                try await suite.awaitCounted("hot")
            }
        }

        private func crash(
            _ suite: Suite, _ row: Row, _ items: KeyValuePairs<String, Int>
        ) async throws -> [Attempt] {
            let comment: Comment = "\(row.point), \(items.count) products"
            if row.orderThrows { _ = try await suite.restart(.order, fault: "order.branchesDone=throw@1") }
            let doomed = try await suite.restart(row.role, fault: "\(row.point)=kill")
            let before = try await suite.available("hot")
            var draft = OrderDraft("carol", items)
            draft.mode = .all("at")
            let first = try await suite.place(draft)
            #expect(try await doomed.awaitExit() == .signal(9), comment)
            try await suite.restart(row.role)
            try await suite.awaitEnded()
            #expect(try await suite.orderExists(key: first.key) == row.isCommitted, comment)
            #expect(before - (try await suite.available("hot")) == (row.isCommitted ? 3 : 0), comment)
            let second = try await suite.place(draft, key: first.key)
            #expect(second.status == (row.isCommitted ? 200 : 201), "\(comment): \(second.outcome)")
            try await suite.awaitEnded()
            #expect(before - (try await suite.available("hot")) == 3, comment)
            return [first, second]
        }
    }
}
