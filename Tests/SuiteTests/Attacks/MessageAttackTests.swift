import SettleCore
import Foundation
import SettleTestSupport
import Testing

@testable import SettleRabbitMQ

extension Proof {
    @Suite("Attack by the broker", .timeLimit(.minutes(3)))
    struct MessageAttackTests {
        /// What the client itself would refuse to send goes out as it is.
        private static func publish(_ messages: [OutboundMessage], to url: String) async throws {
            let configuration = try RabbitMQConfiguration(url: url)
            let failure: String? = await withCheckedContinuation { done in
                DedicatedThread.start(name: "attacker") {
                    do throws(AMQPError) {
                        let connection = try AMQPConnection(configuration, breaker: SocketBreaker())
                        try connection.openChannel(1)
                        for message in messages { try connection.publish(1, message) }
                        // The broker answers when it has taken all that came before.
                        try connection.closeChannel(1)
                        connection.close(timeout: .seconds(5))
                        done.resume(returning: nil)
                    } catch {
                        done.resume(returning: error.reason)
                    }
                }
            }
            if let failure { throw NotInTime(failure) }
        }

        private static func message(
            _ key: String, _ body: [UInt8], id: String = "test", headers: [String: String] = [:]
        ) -> OutboundMessage {
            OutboundMessage(exchange: Suite.exchange, routingKey: key, messageID: id, body: body, headers: headers)
        }

        private static let long = String(repeating: "h", count: 4_000)
        private static let bodies = [
            "addpoint":
                #"{"id":900000,"taskType":"addpoint","requestBody":"{\"userName\":\"nobody\",\"orderId\":\"attack\",\"point\":5}"}"#,
            "deductstock":
                #"{"id":900000,"taskType":"deductstock","requestBody":"{\"orderId\":\"attack\",\"items\":[{\"sku\":\"nothing\",\"quantity\":2}]}"}"#,
            "finishaddpoint":
                #"{"id":900000,"taskType":"addpoint","status":"finished","requestBody":"","createTime":5}"#,
            "finishdeductstock": #"{"id":900000,"taskType":"deductstock","status":"rejected","errormsg":"no"}"#,
        ]

        @Test(
            "what nobody could publish again: a header of 4,000 bytes, one without a name, a reason, a trace without an end"
        )
        func undeliverable() async throws {
            try await Suite.with { suite in
                let pids = suite.running.map(\.pid)
                var poison: [OutboundMessage] = []
                for key in ["addpoint", "deductstock", "finishaddpoint"] {
                    poison += [
                        Self.message(key, Array("{".utf8), headers: ["x": Self.long]),
                        Self.message(key, Array("{".utf8), headers: ["": "x"]),
                        Self.message(key, Array("{".utf8), headers: [String(repeating: "n", count: 200): "x"]),
                        Self.message(key, Array("{".utf8), id: String(repeating: "ä", count: 127)),
                        Self.message(
                            key,
                            Array(
                                #"{"id":1,"taskType":"\#(String(repeating: "😀", count: 20_000))","requestBody":"","status":"é"}"#
                                    .utf8)),
                    ]
                }
                // What can be done is done, and answered.
                let user = #"{\"userName\":\"nobody\",\"orderId\":\"traced\",\"point\":5}"#
                let traced = Self.message(
                    "addpoint", Array(#"{"id":900001,"taskType":"addpoint","requestBody":"\#(user)"}"#.utf8),
                    headers: ["traceparent": Self.long])
                try await Self.publish(poison + [traced], to: suite.surroundings.amqpURL)
                try await suite.awaitQueue(Suite.deadLetterQueue, length: poison.count)
                for queue in ["cg_buying_addpoint", "cg_buying_deductstock", "cg_buying_finishaddpoint"] {
                    try await suite.awaitQueue(queue, length: 0)
                }
                for role in Role.allCases {
                    #expect(try await suite.metric(role, "settle_dead_letters_total") == 5, "\(role.rawValue)")
                    #expect(try await suite.metric(role, "settle_dead_letters_unsent_total") == 0, "\(role.rawValue)")
                }
                try await suite.expectUnharmed(pids)
                Attack.report(poison.count + 1, "messages that could not be published again")
            }
        }

        @Test("3,000 generated messages in every queue: the queues run on, nobody dies, the books are right")
        func generated() async throws {
            try await Suite.with { suite in
                let pids = suite.running.map(\.pid)
                let keys = Self.bodies.keys.sorted()
                let messages = (0..<3_000).map { number in
                    var attack = Attack(number)
                    let key = attack.pick(keys)
                    var headers: [String: String] = [:]
                    for _ in 0..<Int.random(in: 0...3, using: &attack) {
                        headers[
                            attack.pick(["traceparent", "", "x-reason", "x-queue", "é", Self.long.prefix(120) + "n"])] =
                            attack.pick(["", "\u{0}", Self.long, "00-\(Self.long)", "x"])
                    }
                    return Self.message(
                        key, attack.json(like: Self.bodies[key] ?? ""), id: attack.pick(["", "1", "é", "900000"]),
                        headers: headers)
                }
                try await Self.publish(messages, to: suite.surroundings.amqpURL)
                for key in keys { try await suite.awaitQueue("cg_buying_" + key, length: 0) }
                // A few happen to be tasks that can be done; they are nobody's orders.
                _ = try await suite.rows(.userPoints, "DELETE FROM point_log WHERE order_id NOT LIKE '%-%-%-%-%'")
                try await suite.expectUnharmed(pids)
                Attack.report(messages.count, "messages")
            }
        }

        @Test("a hundred messages of 4 MiB: what user-points holds fits its container")
        func large() async throws {
            try await Suite.with { suite in
                let pids = suite.running.map(\.pid)
                let process = try suite.process(.userPoints)
                let body = [UInt8](repeating: 0x20, count: 4 << 20)
                var most = 0
                for _ in 0..<10 {
                    try await Self.publish(
                        (0..<10).map { _ in Self.message("addpoint", body) }, to: suite.surroundings.amqpURL)
                    most = max(most, try process.residentBytes)
                }
                try await suite.awaitQueue("cg_buying_addpoint", length: 0)
                most = max(most, try process.residentBytes)
                print("attack: user-points holds at most \(most >> 20) MB under a hundred messages of 4 MiB")
                #expect(most >> 20 < 128)
                try await eventually("each is put aside by its length") {
                    try await suite.metric(.userPoints, "settle_dead_letters_total") == 100
                }
                try await suite.expectUnharmed(pids)
                Attack.report(100, "messages of 4 MiB")
            }
        }
    }
}
