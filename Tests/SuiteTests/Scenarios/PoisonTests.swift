import Foundation
import SettleTestSupport
import Testing

extension Proof {
    @Suite("Poisoned messages", .timeLimit(.minutes(2)))
    struct PoisonTests {
        private func task(_ type: String, body: String) throws -> String {
            struct Message: Encodable {
                let id = 900_000
                let taskType: String
                let requestBody: String
            }
            return String(decoding: try JSONEncoder().encode(Message(taskType: type, requestBody: body)), as: UTF8.self)
        }

        @Test("a few among a thousand good ones: they are put aside, counted and logged; the good ones settle")
        func among() async throws {
            try await Suite.with { suite in
                let pids = suite.running.map(\.pid).sorted()
                let poison = [
                    "addpoint": [
                        "not JSON", "", "null", #"{"id":1,"taskType":"addpoint"}"#,
                        try task("addpoint", body: #"{"userName":"alice","orderId":"p1","point":-5}"#),
                        try task("addpoint", body: #"{"userName":"","orderId":"p2","point":5}"#),
                        try task("addpoint", body: #"{"userName":"a\u0000b","orderId":"p3","point":5}"#),
                        try task("addpoint", body: #"{"userName":"alice","orderId":"p4","point":9223372036854775808}"#),
                        try task("unheardof", body: #"{"userName":"alice","orderId":"p5","point":5}"#),
                        try task(
                            "addpoint",
                            body:
                                #"{"userName":"alice","orderId":"p6","point":5,"x":"\#(String(repeating: "y", count: 5 << 20))"}"#
                        ),
                    ],
                    "deductstock": [
                        "{", try task("deductstock", body: #"{"orderId":"p7","items":[]}"#),
                        try task("deductstock", body: #"{"orderId":"p8","items":[{"sku":"tea","quantity":-1}]}"#),
                    ],
                    "finishaddpoint": ["not JSON", #"{"id":1,"status":"unheard of"}"#],
                ]
                let load = suite.load(clients: 16, limit: 1_000)
                for (key, bodies) in poison {
                    try await grow(load, by: 20)
                    for body in bodies { try await suite.publish(key, [body]) }
                }
                let attempts = await load.finished()
                #expect(attempts.count(status: 201) == 1_000, "\(attempts.summary)")
                try await suite.expectAgreement(attempts)
                let count = poison.values.map(\.count).reduce(0, +)
                try await suite.awaitQueue(Suite.deadLetterQueue, length: count)

                let roles = [Role.userPoints: "addpoint", .stock: "deductstock", .order: "finishaddpoint"]
                for (role, key) in roles {
                    let expected = poison[key]?.count ?? 0
                    #expect(try await suite.metric(role, "settle_dead_letters_total") == Double(expected))
                    let log = try String(contentsOf: suite.process(role).log, encoding: .utf8)
                    #expect(log.components(separatedBy: "message dead-lettered").count - 1 == expected, "\(role)")
                }
                #expect(suite.running.map(\.pid).sorted() == pids, "nobody died of it")
            }
        }
    }
}
