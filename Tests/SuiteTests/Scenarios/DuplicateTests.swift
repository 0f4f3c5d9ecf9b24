import Foundation
import SettlePostgres
import SettleTestSupport
import Testing

extension Proof {
    @Suite("Duplicates", .timeLimit(.minutes(2)))
    struct DuplicateTests {
        /// The message of a task as its sender publishes it, from the table that has it.
        private func message(_ suite: Suite, _ table: String, _ type: String, status: String) async throws -> String {
            let row = try #require(
                try await suite.rows(
                    .order,
                    """
                    SELECT json_build_object(
                        'id', id, 'createTime', (extract(epoch FROM create_time) * 1000)::bigint,
                        'updateTime', (extract(epoch FROM update_time) * 1000)::bigint, 'taskType', task_type,
                        'mqExchange', mq_exchange, 'mqRoutingkey', mq_routingkey, 'requestBody', request_body,
                        'status', $1::text, 'errormsg', NULL)::text
                    FROM \(table) WHERE task_type = $2
                    """, [.text(status), .text(type)]
                ).first)
            return try row.decode(String.self, at: 0)
        }

        @Test("a task and its answer, a hundred times each, have one effect; also after Redis has forgotten everything")
        func hundredCopies() async throws {
            // Long leases: every copy is one of ours.
            let settings = ["TASK_LEASE": "60s", "TASK_REPUBLISH_AFTER": "600s"]
            try await Suite.with(settings: settings) { suite in
                try await suite.stop(try suite.process(.userPoints))
                let attempts = await suite.load(clients: 1, limit: 1).finished()
                try await suite.awaitQueue("cg_buying_addpoint", length: 1)
                let task = try await message(suite, "task", "addpoint", status: "pending")
                try await suite.publish("addpoint", Array(repeating: task, count: 99))
                try await suite.restart(.userPoints)
                try await suite.expectAgreement(attempts)

                let deduct = try await message(suite, "task_his", "deductstock", status: "pending")
                let answers = [
                    ("finishaddpoint", try await message(suite, "task_his", "addpoint", status: "finished")),
                    ("finishdeductstock", try await message(suite, "task_his", "deductstock", status: "finished")),
                ]
                for round in 0..<2 {
                    if round == 1 { try await suite.flushRedis() }
                    try await suite.publish("addpoint", Array(repeating: task, count: 100))
                    try await suite.publish("deductstock", Array(repeating: deduct, count: 100))
                    for (key, answer) in answers { try await suite.publish(key, Array(repeating: answer, count: 100)) }
                    try await eventually("all copies are consumed", every: .milliseconds(300)) {
                        try await suite.queueLengths().values.allSatisfy { $0 == 0 }
                    }
                    try await suite.expectAgreement(attempts)
                    #expect(try await suite.number(.order, "SELECT count(*) FROM task_his") == 2)
                    #expect(try await suite.number(.userPoints, "SELECT count(*) FROM point_log") == 1)
                }
            }
        }

        @Test("copies of what was refused, given back or refunded are recognised by a read, and change nothing")
        func lookedUp() async throws {
            let settings = ["TASK_LEASE": "60s", "TASK_REPUBLISH_AFTER": "600s"]
            try await Suite.with(settings: settings) { suite in
                let stranger = OrderDraft("nobody", ["tea": 2])
                let attempts = await suite.load(clients: 1, limit: 1, draft: { _ in stranger }).finished()
                try await suite.awaitSettled()
                // Of nothing, so that the books stay as they are.
                let body = #"{\"userName\":\"alice\",\"orderId\":\"refunded\",\"point\":0}"#
                let refund = #"{"id":1000,"taskType":"refundpoint","requestBody":"\#(body)","status":"pending"}"#
                try await suite.publish("refundpoint", [refund])
                try await eventually("the refund is answered") {
                    try await suite.metric(.order, "settle_answers_ignored_total") == 1
                }
                var copies = [(Role.userPoints, "refundpoint", refund)]
                for (role, type) in [(Role.userPoints, "addpoint"), (.stock, "deductstock"), (.stock, "restock")] {
                    copies.append((role, type, try await message(suite, "task_his", type, status: "pending")))
                }
                for (number, (role, type, copy)) in copies.enumerated() {
                    try await suite.publish(type, [copy])
                    try await eventually("the copy of \(type) is answered") {
                        try await suite.metric(.order, "settle_answers_ignored_total") == Double(2 + number)
                    }
                    let metrics = try #require(try await suite.get(suite.port(role), "/metrics")).text
                    let duplicates = metrics.split(separator: "\n").filter {
                        $0.contains(#"outcome="duplicate""#) && $0.contains(#"task_type="\#(type)""#)
                    }
                    #expect(duplicates.map { $0.hasSuffix(" 1") } == [true], "\(type): \(duplicates)")
                    let log = try String(contentsOf: suite.process(role).log, encoding: .utf8)
                    #expect(!log.contains("could not look for duplicates"), "\(log)")
                    #expect(try await suite.metric(role, "settle_dedup_wrong_total") == 0)
                }
                try await suite.expectAgreement(attempts)
                #expect(try await suite.number(.userPoints, "SELECT count(*) FROM point_refund") == 1)
            }
        }

        @Test("fifty requests at once with one idempotency key are one order; with another body it is refused")
        func idempotencyKey() async throws {
            struct Placed: Decodable { let id: String }
            try await Suite.with { suite in
                func place(_ draft: OrderDraft, key: String) async throws -> HTTPAnswer {
                    try await suite.send(
                        "POST", .order, "/orders", json: String(decoding: try draft.json, as: UTF8.self),
                        headers: ["Idempotency-Key": key])
                }
                for round in 0..<3 {
                    let key = "key-\(round)"
                    let answers = try await withThrowingTaskGroup(of: HTTPAnswer.self) { group in
                        for _ in 0..<50 { group.addTask { try await place(.varied(round), key: key) } }
                        return try await group.reduce(into: []) { $0.append($1) }
                    }
                    #expect(answers.count { $0.status == 201 } == 1)
                    #expect(answers.count { $0.status == 200 } == 49, "\(Set(answers.map(\.status)))")
                    #expect(try Set(answers.map { try $0.decode(Placed.self).id }).count == 1)
                    let other = try await place(.varied(round + 1), key: key)
                    #expect(other.status == 422)
                    #expect(other.headers["content-type"]?.hasPrefix("application/problem+json") == true)
                }
                try await suite.awaitSettled()
                let ledger = try await Ledger(suite)
                #expect(ledger.settled.compactMap(\.key).sorted() == ["key-0", "key-1", "key-2"])
                #expect(ledger.pointLog.count == 3)
            }
        }
    }
}
