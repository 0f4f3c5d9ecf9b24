import Foundation
import SettlePostgres
import SettleTestSupport
import Testing

extension Suite {
    /// Participants ask soon; rows are waited for as in production.
    static let impatient = ["TRANSACTION_CHECK_AFTER": "1s"]

    /// As `with`.
    static func withTransactions(
        settings: [String: String] = [:], _ body: (Suite) async throws -> Void
    ) async throws {
        try await with(settings: impatient.merging(settings) { $1 }, body)
    }

    // MARK: Orders

    /// One order by a client who comes once.
    func place(_ draft: OrderDraft, key: String = UUID().uuidString) async throws -> Attempt {
        let begin = ContinuousClock.now
        let outcome: Result<HTTPAnswer, HTTPFailure>
        do {
            outcome = .success(
                try await send(
                    "POST", .order, "/orders", json: String(decoding: try draft.json, as: UTF8.self),
                    headers: ["Idempotency-Key": key]))
        } catch let failure as HTTPFailure {
            outcome = .failure(failure)
        }
        return Attempt(key: key, outcome: outcome, latency: .now - begin)
    }

    func orderExists(key: String) async throws -> Bool {
        try await number(.order, "SELECT count(*) FROM orders WHERE idempotency_key = $1", [.text(key)]) == 1
    }

    func available(_ sku: String) async throws -> Int {
        try await number(.stock, "SELECT available FROM product WHERE sku = $1", [.text(sku)])
    }

    func points(_ user: String) async throws -> Int {
        try await number(.userPoints, "SELECT points FROM user_points WHERE user_name = $1", [.text(user)])
    }

    // MARK: A branch without an order

    /// Takes tea at stock under a global transaction that nobody decides, as order would ask for it.
    func deduct(_ quantity: Int, of sku: String = "tea", mode: String, xid: String) async throws -> HTTPAnswer {
        try await send(
            "POST", .stock, "/branches/deduct",
            json: #"{"orderId":"\#(xid)","items":[{"sku":"\#(sku)","quantity":\#(quantity)}]}"#,
            headers: ["Settle-XID": xid, "Settle-Mode": mode, "Settle-Initiator": url(.order)], authorized: true)
    }

    /// `commit` or `rollback`.
    func end(_ xid: String, _ decision: String) async throws {
        let answer = try await send(
            "POST", .stock, "/transactions/\(decision)", json: #"{"xids":["\#(xid)"]}"#, authorized: true)
        #expect(answer.status == 200, "\(answer.text)")
    }

    // MARK: What is left

    /// What is undecided at a participant, in words: branches, undo images and locks, prepared transactions.
    func undecided(_ role: Role) async throws -> [String] {
        try await rows(
            role,
            """
            SELECT 'branch ' || mode FROM settle.branch WHERE state = 'undecided'
            UNION ALL SELECT 'image' FROM settle.undo_log
            UNION ALL SELECT 'prepared' FROM pg_prepared_xacts WHERE database = current_database()
            """
        ).map { try $0.decode(String.self, at: 0) }
    }

    /// Waits until all global transactions are over everywhere.
    ///
    /// - Parameter confirmed: how long the initiator may take to know it; like `limit` if nil.
    func awaitEnded(within limit: Duration = .seconds(10), confirmed: Duration? = nil) async throws {
        for role in [Role.stock, .userPoints] {
            try await eventually(
                "nothing is undecided at \(role.rawValue)", within: limit,
                otherwise: { await self.described { try await self.undecided(role) } }
            ) {
                try await self.undecided(role).isEmpty
            }
        }
        let unconfirmed = "FROM settle.global_transaction WHERE decision = 'commit' AND acknowledged_at IS NULL"
        try await eventually(
            "every participant has confirmed", within: confirmed ?? limit,
            otherwise: {
                let each = "xid || ', tried ' || attempts || ' times, due in ' || (due_time - now())"
                return await self.described {
                    try await self.rows(.order, "SELECT \(each) \(unconfirmed)").map { try $0.decode(at: 0) }
                }
            }
        ) {
            try await self.number(.order, "SELECT count(*) \(unconfirmed)") == 0
        }
    }

    /// For the report of a failure: lines, or why there are none.
    private func described(_ lines: () async throws -> [String]) async -> String {
        do { return try await lines().joined(separator: "\n") } catch { return "\(error)" }
    }

    // MARK: Failpoints

    /// Starts `role` anew with a fault planned.
    func restart(_ role: Role, fault: String) async throws -> ServiceProcess {
        try await stop(try process(role))
        let process = try start(role, settings: ["SETTLE_FAULTS": fault])
        try await awaitReady(process)
        return process
    }
}
