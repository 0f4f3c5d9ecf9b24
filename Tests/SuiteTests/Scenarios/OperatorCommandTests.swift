import Foundation
import SettleTestSupport
import Testing

extension Proof {
    @Suite("The operator's command, on a running suite", .timeLimit(.minutes(4)))
    struct OperatorCommandTests {
        private struct Said {
            let code: Int32
            let text: String
        }

        /// What `settle` says of a service, with the token of the suite.
        private func settle(
            _ arguments: String..., at role: Role, of suite: Suite, token: String? = nil
        ) async throws -> Said {
            let ended = try await ShortRun.of(
                "settle", arguments, ["SETTLE_URL": suite.url(role), "SETTLE_TOKEN": token ?? suite.token],
                within: .seconds(30))
            guard case .code(let code) = try #require(ended.exit) else { throw CancellationError() }
            return Said(code: Int32(code), text: ended.output + ended.errors)
        }

        @Test("an order's story is told across the services, in order of time", arguments: ["message", "tcc", "at"])
        func story(mode: String) async throws {
            try await Suite.withTransactions { suite in
                let draft = OrderDraft.varied(1, in: [.all(mode)], spending: mode == "message" ? 0 : 1)
                let placed = try await suite.place(draft)
                guard case .success(let answer) = placed.outcome else { throw CancellationError() }
                struct Placed: Decodable { let id: String }
                let id = try (answer.decode() as Placed).id
                try await suite.awaitEnded()
                try await suite.awaitSettled()
                let said = try await settle("orders", "show", id, at: .order, of: suite)
                #expect(said.code == 0, "\(said.text)")
                let words =
                    mode == "message"
                    ? ["placed", "deductstock", "addpoint", "finished"]
                    : ["placed", "deduct, mode \(mode)", "spend, mode \(mode)", "decided", "committed", "addpoint"]
                for word in words { #expect(said.text.contains(word), "\(word) in:\n\(said.text)") }
                #expect(!said.text.contains("could not be asked") && !said.text.contains("waits:"), "\(said.text)")
                try await suite.stop(try suite.process(.userPoints))
                if mode != "message" {
                    let partly = try await settle("orders", "show", id, at: .order, of: suite)
                    #expect(partly.code == 0 && partly.text.contains("could not be asked: user-points"))
                }
                #expect(try await settle("orders", "show", "none", at: .order, of: suite).code == 1)
            }
        }

        @Test("an undecided branch is listed, shown and decided; a row in the way of it is shown and resolved")
        func branches() async throws {
            try await Suite.withTransactions { suite in
                try await suite.stop(try suite.process(.order))
                let xid = "01900000-0000-7000-8000-00000000a001"
                #expect(try await suite.deduct(2, of: "tea", mode: "at", xid: xid).status == 200)
                let list = try await settle("branches", "list", at: .stock, of: suite)
                #expect(list.code == 0 && list.text.contains(xid) && list.text.contains("undecided"), "\(list.text)")
                // Past the guard, as only the table's owner can.
                for sql in [
                    "ALTER TABLE product DISABLE TRIGGER ALL", "UPDATE product SET available = 7 WHERE sku = 'tea'",
                    "ALTER TABLE product ENABLE TRIGGER ALL",
                ] { _ = try await suite.rows(.stock, sql) }
                let decide = ["branches", "decide", xid, "abort", "--operator", "eve", "--reason", "a test", "--force"]
                let decided = try await settle(
                    decide[0], decide[1], decide[2], decide[3], decide[4], decide[5], decide[6], decide[7], decide[8],
                    at: .stock, of: suite)
                #expect(decided.code == 0 && decided.text.contains("abort"), "\(decided.text)")
                let rows = try await settle("rows", "list", at: .stock, of: suite)
                #expect(rows.code == 0 && rows.text.contains(#"{"sku": "tea"}"#), "\(rows.text)")
                let key = #"{"sku": "tea"}"#
                let refused = try await settle(
                    "rows", "resolve", xid, "nothing", key, "keep", "--operator", "eve", "--reason", "x", at: .stock,
                    of: suite)
                #expect(refused.code == 1 && refused.text.contains("404"), "\(refused.text)")
                let resolved = try await settle(
                    "rows", "resolve", xid, "product", key, "restore", "--operator", "eve", "--reason", "a test",
                    at: .stock, of: suite)
                #expect(resolved.code == 0 && resolved.text.contains("rolledBack"), "\(resolved.text)")
                #expect(try await settle("rows", "list", at: .stock, of: suite).text == "none\n")
                try await eventually("the service notices soon") {
                    let shown = try await self.settle("branches", "show", xid, at: .stock, of: suite)
                    return shown.code == 0 && shown.text.contains("rolledBack")
                }
            }
        }

        @Test("lists, doctor and migrations work at every service; a wrong token and a wrong address have their codes")
        func everywhere() async throws {
            try await Suite.with(centre: true) { suite in
                _ = await suite.load(clients: 2, limit: 10).finished()
                for role in Role.everyone {
                    let doctor = try await settle("doctor", at: role, of: suite)
                    #expect(doctor.code == 0 && doctor.text.contains("postgres.fsync"), "\(doctor.text)")
                    let status = try await settle("migrate", "status", at: role, of: suite)
                    #expect(status.code == 0 && !status.text.contains("missing"), "\(status.text)")
                    #expect(try await settle("migrate", "apply", at: role, of: suite).code == 0)
                }
                for command in ["tasks", "letters", "decisions", "orders"] {
                    let list = try await settle(command, "list", at: .order, of: suite)
                    #expect(list.code == 0, "\(command): \(list.text)")
                    let json = try await settle(command, "list", "--json", at: .order, of: suite)
                    #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(json.text.utf8)) }
                }
                #expect(try await settle("letters", "show", "1", at: .order, of: suite).code == 1)
                #expect(try await settle("tasks", "retry", "1", at: .order, of: suite).code == 1)
                #expect(try await settle("tasks", "retry", "--parked", at: .order, of: suite).code == 0)
                let paused = try await settle("tasks", "pause", "addpoint", "--reason", "a test", at: .order, of: suite)
                #expect(paused.code == 0 && paused.text.contains("addpoint"), "\(paused.text)")
                let list = try await settle("tasks", "list", "--type", "addpoint", at: .order, of: suite)
                #expect(list.code == 0 && list.text.contains("a test"), "\(list.text)")
                #expect(try await settle("tasks", "pause", "nothing", at: .order, of: suite).code == 1)
                #expect(try await settle("tasks", "resume", "addpoint", at: .order, of: suite).code == 0)
                let shown = try await settle("tasks", "show", at: .order, of: suite)
                #expect(shown.code == 0 && shown.text.contains("heldLines 0"), "\(shown.text)")
                #expect(try await settle("tasks", "discard", "1", "--reason", "x", at: .order, of: suite).code == 1)
                let none = try await settle(
                    "tasks", "discard", "--status", "parked", "--reason", "x", at: .order, of: suite)
                #expect(none.code == 0 && none.text.contains("discarded  0"), "\(none.text)")
                let wrong = try await settle("tasks", "list", at: .order, of: suite, token: "not-the-token-0123")
                #expect(wrong.code == 77 && wrong.text.contains("401"), "\(wrong.text)")
                try await suite.stop(try suite.process(.order))
                #expect(try await settle("doctor", at: .order, of: suite).code == 69)
            }
        }
    }
}
