import Foundation
import SettlePostgres
import SettleTestSupport
import Testing

extension Proof {
    @Suite("Signed messages", .timeLimit(.minutes(4)))
    struct SignatureTests {
        private static let types: [Role: [String]] = [
            .order: ["addpoint", "refundpoint", "deductstock", "restock"], .stock: ["deductstock", "restock"],
            .userPoints: ["addpoint", "refundpoint"],
        ]

        /// What `role` is given: each type of task that it knows, with each of `keys`.
        private static func keys(_ role: Role, _ keys: [String]) -> String {
            (types[role] ?? []).flatMap { type in
                keys.map { $0 == "unsigned" ? "\(type)=\($0)" : "\(type)=\($0)-\(type)" }
            }
            .joined(separator: ",")
        }

        private func with(_ keys: [String], _ body: (Suite) async throws -> Void) async throws {
            try await Suite.with(start: false) { suite in
                for role in Role.allCases {
                    try suite.start(role, settings: ["MESSAGE_KEYS": Self.keys(role, keys)])
                }
                for role in Role.allCases { try await suite.awaitReady(role) }
                try await suite.seed()
                try await body(suite)
            }
        }

        /// The messages of what waits for user-points, as their answers.
        private func answers(_ suite: Suite, _ status: String) async throws -> [String] {
            try await suite.rows(
                .order,
                """
                SELECT json_build_object(
                    'id', id, 'createTime', (extract(epoch FROM create_time) * 1000)::bigint,
                    'updateTime', (extract(epoch FROM update_time) * 1000)::bigint, 'taskType', task_type,
                    'mqExchange', mq_exchange, 'mqRoutingkey', mq_routingkey, 'requestBody', request_body,
                    'status', $1::text, 'errormsg', 'forged')::text
                FROM task WHERE task_type = 'addpoint' ORDER BY id
                """, [.text(status)]
            ).map { try $0.decode(String.self, at: 0) }
        }

        @Test("somebody who may publish forges answers and tasks: they are dead letters, and all orders settle exactly")
        func forged() async throws {
            try await with(["key-0123456789"]) { suite in
                let receiver = try suite.process(.userPoints)
                try await suite.stop(receiver)
                let attempts = await suite.load(clients: 8, limit: 50).finished()
                try await suite.awaitQueue("cg_buying_addpoint", length: 50)
                for status in ["finished", "rejected"] {
                    try await suite.publish("finishaddpoint", try await answers(suite, status))
                }
                let gift = #"{\"userName\":\"alice\",\"orderId\":\"gift\",\"point\":1000000}"#
                try await suite.publish(
                    "addpoint", [#"{"id":1,"taskType":"addpoint","requestBody":"\#(gift)","status":"pending"}"#])

                try await eventually("all forged answers are refused") {
                    try await suite.number(
                        .order,
                        """
                        SELECT count(*) FROM settle.set_aside
                        WHERE state = 'dead' AND reason LIKE 'signature: %' AND queue = 'cg_buying_finishaddpoint'
                        """) == 100
                }
                #expect(try await suite.metric(.order, "settle_signatures_refused_total") == 100)
                #expect(try await suite.number(.order, "SELECT count(*) FROM task WHERE status = 'pending'") == 50)
                #expect(try await suite.number(.order, "SELECT count(*) FROM orders WHERE status = 'placed'") == 50)

                try suite.startAgain(receiver)
                try await suite.awaitReady(.userPoints)
                let ledger = try await suite.expectAgreement(attempts)
                #expect(ledger.settled.count == 50)
                try await eventually("the forged task is refused") {
                    try await suite.metric(.userPoints, "settle_signatures_refused_total") == 1
                }
                try await suite.awaitQueue(Suite.deadLetterQueue, length: 101)
            }
        }

        @Test("signing begins, and its keys are changed, under load, one process after the other: nothing is refused")
        func rotation() async throws {
            let (old, new) = ("older-key-0123456789", "newer-key-0123456789")
            try await Suite.with { suite in
                var attempts: [Attempt] = []
                for keys in [[old, "unsigned"], [old], [old, new], [new, old], [new]] {
                    for role in Role.allCases {
                        let load = suite.load(clients: 2, limit: 12, draft: OrderDraft.mixed)
                        try await suite.stop(try suite.process(role))
                        try await suite.awaitReady(
                            try suite.start(role, settings: ["MESSAGE_KEYS": Self.keys(role, keys)]))
                        attempts += await load.finished()
                    }
                    try await suite.awaitSettled()
                }
                try await suite.expectAgreement(attempts)
                for role in Role.allCases {
                    #expect(try await suite.number(role, "SELECT count(*) FROM settle.set_aside") == 0)
                }
                try await suite.awaitQueue(Suite.deadLetterQueue, length: 0)
            }
        }
    }
}
