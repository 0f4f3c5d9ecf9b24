import Foundation
import SettleCore
import SettlePostgres
import SettleTestSupport
import Testing

extension Proof {
    @Suite("Reconciliation", .timeLimit(.minutes(10)))
    struct ReconciliationTests {
        private static let modes = [OrderDraft.Mode.message, .centre] + OrderDraft.Mode.some

        /// All modes in turn; points are spent where that is possible, and every tenth order is of a user whom nobody knows.
        @Sendable
        private static func draft(_ number: Int) -> OrderDraft {
            var draft = OrderDraft.varied(number)
            draft.mode = modes[number % modes.count]
            if draft.mode != .message, draft.mode != .centre, number % 3 == 0 { draft.spendPoints = 5 }
            if number % 10 == 9 {
                draft.userName = "stranger \(number)"
                draft.spendPoints = 0
            }
            return draft
        }

        @Test("books that are right stay clean, however much goes on, and nothing is mended in them")
        func clean() async throws {
            try await Suite.withReconciliation { suite in
                let load = suite.load(clients: 4, draft: Self.draft)
                var compared = 0
                for round in 1...8 {
                    let report = try await suite.reconcile(repair: round % 2 == 0)
                    #expect(report.clean, "round \(round): \(report.text)")
                    compared = report.orders
                    try await Task.sleep(for: .seconds(1))
                }
                let attempts = await load.stop()
                #expect(compared > 20)
                try await suite.awaitSettled()
                try await suite.letSettle()
                let report = try await suite.reconcile()
                #expect(report.clean, "\(report.text)")
                #expect(report.orders == attempts.count { $0.status == 201 })
                #expect(try await suite.number(.order, "SELECT count(*) FROM settle.reconciliation_repair") == 0)
            }
        }

        @Test(
            "a hundred corruptions of all kinds are found while orders go on, none is invented, and the books agree again"
        )
        func corruptions() async throws {
            let seed = UInt64.random(in: 0...UInt64.max)
            print("reconciliation: seed \(seed)")
            var random = SeededNumbers(seed: seed)
            try await Suite.withReconciliation { suite in
                let orders = suite.load(clients: 4, limit: 400, draft: Self.draft)
                _ = await orders.finished()
                try await suite.awaitSettled()
                try await prepareAccounts(suite)
                try await suite.letSettle()
                let before = try await suite.reconcile()
                #expect(before.clean, "\(before.text)")

                let load = suite.load(clients: 2, pause: .milliseconds(50), draft: Self.draft)
                let expected = try await corrupt(suite, &random)
                let look = try await suite.reconcile(repair: false)
                check(look, expected)

                let rounds = try await suite.reconcileUntilClean()
                print("reconciliation: clean after \(rounds) runs")
                _ = await load.stop()
                try await suite.awaitSettled()
                try await suite.letSettle()
                let after = try await suite.reconcile(repair: false)
                #expect(after.clean, "\(after.text)")
                #expect(try await suite.number(.order, "SELECT count(*) FROM settle.reconciliation_repair") >= 90)
            }
        }

        @Test("a database that was restored from an older copy is brought up to date")
        func restored() async throws {
            try await Suite.withReconciliation { suite in
                _ = await suite.load(clients: 4, limit: 80, draft: Self.draft).finished()
                try await suite.awaitSettled()
                let tables = [
                    "point_log", "point_refund", "point_refusal", "point_spent", "point_spent_at", "user_points",
                ]
                for table in tables {
                    _ = try await suite.rows(.userPoints, "CREATE TABLE copy_of_\(table) AS TABLE \(table)")
                }
                _ = await suite.load(clients: 4, limit: 120, draft: Self.draft).finished()
                try await suite.awaitSettled()
                try await suite.stop(try suite.process(.userPoints))
                try await restore(tables, suite)
                try await suite.restart(.userPoints)
                try await suite.letSettle()
                let first = try await suite.reconcile()
                #expect(first.findings.contains { $0.kind == "pointsMissing" && $0.repaired }, "\(first.text)")
                let rounds = try await suite.reconcileUntilClean()
                print("reconciliation: clean after \(rounds) more runs")
            }
        }

        /// As the owner of the tables may: their triggers would see to it that nothing is forgotten.
        private func restore(_ tables: [String], _ suite: Suite) async throws {
            let database = try #require(suite.databases[.userPoints])
            let off = tables.map { "ALTER TABLE \($0) DISABLE TRIGGER USER;" }
            let gone = tables.map { "DELETE FROM \($0);" }
            let back = tables.reversed().map { table in
                "INSERT INTO \(table) OVERRIDING SYSTEM VALUE SELECT * FROM copy_of_\(table);"
            }
            let on = tables.map { "ALTER TABLE \($0) ENABLE TRIGGER USER;" }
            let customers = "DELETE FROM customer;"
            try await database.script((off + [customers] + gone + back + on).joined(separator: "\n"))
        }

        // MARK: Corruptions

        /// Accounts that no order is about: what is wrong with their balances has one reason.
        private func prepareAccounts(_ suite: Suite) async throws {
            for number in 0..<10 {
                try await suite.putProduct("idle \(number)", price: 1, available: 100)
                let answer = try await suite.send(
                    "PUT", .userPoints, "/users/idle\(number)", json: #"{"points":100}"#, authorized: true)
                #expect(answer.status == 201)
            }
        }

        private struct Expected {
            let corruption: Corruption
            let subject: String
        }

        /// A hundred, each to an order or an account of its own.
        private func corrupt(_ suite: Suite, _ random: inout SeededNumbers) async throws -> [Expected] {
            var taken: Set<String> = []
            var expected: [Expected] = []
            let list = Corruption.allCases
            for number in 0..<100 {
                let corruption = list[number % list.count]
                let key: String
                switch corruption {
                case .balanceOfProduct: key = "idle \(number / list.count)"
                case .balanceOfUser: key = "idle\(number / list.count)"
                case .taskOfNobody, .branchOfNobody: key = UUID().uuidString.lowercased()
                default:
                    let old = "id < '\(try await oldest(suite))'"
                    let ids = try await suite.rows(
                        .order,
                        "SELECT id::text FROM orders WHERE \(corruption.victims ?? "true") AND \(old) ORDER BY id"
                    ).map { try $0.decode(String.self, at: 0) }.filter { !taken.contains($0) }
                    key = try #require(ids.randomElement(using: &random), "no order left for \(corruption)")
                    taken.insert(key)
                }
                let subject = try await corruption.happen(to: key, in: suite)
                expected.append(Expected(corruption: corruption, subject: subject))
            }
            return expected
        }

        /// An id that no order has that is younger than a little more than the settling time.
        private func oldest(_ suite: Suite) async throws -> String {
            let then = Date().addingTimeInterval(-(Suite.settling / .seconds(1)) - 1)
            return UUID.leastV7(at: then).uuidString.lowercased()
        }

        /// Each is found by its name, and nothing else but the balances that follow from it.
        private func check(_ report: Reconciled, _ expected: [Expected]) {
            var unexplained = report.findings.filter { $0.kind != "balance" || ($0.key ?? "").hasPrefix("idle") }
            for one in expected {
                for kind in one.corruption.kinds {
                    let index = unexplained.firstIndex { $0.kind == kind && ($0.orderId ?? $0.key) == one.subject }
                    guard let index else {
                        Issue.record("\(one.corruption) of \(one.subject) is not found as \(kind)")
                        continue
                    }
                    unexplained.remove(at: index)
                }
            }
            #expect(
                unexplained.isEmpty,
                "invented: \(unexplained.map { "\($0.kind) \($0.orderId ?? $0.key ?? "") \($0.detail)" })")
        }
    }
}
