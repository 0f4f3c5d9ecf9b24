import Foundation
import SettleTestSupport
import Testing

extension Proof {
    @Suite("RabbitMQ", .timeLimit(.minutes(4)))
    struct BrokerTests {
        @Test("away for twenty seconds: orders are taken all the while, and settle afterwards")
        func away() async throws {
            try await Suite.with { suite in
                let load = suite.load(clients: 8, pause: .milliseconds(50))
                try await grow(load, by: 50)
                let stopped = ContinuousClock.now
                try await Servers.stop(.rabbitmq)
                for role in Role.allCases { try await suite.awaitReadiness(role, 503, "rabbitmq", "down") }
                try await grow(load, by: 200)
                try await Task.sleep(for: .seconds(20) - (ContinuousClock.now - stopped))
                try await Servers.start(.rabbitmq)
                for role in Role.allCases { try await suite.awaitReadiness(role, 200, "rabbitmq", "up") }
                try await grow(load, by: 50)
                let attempts = await load.stop()
                print("suite: broker back after \(ContinuousClock.now - stopped)")
                #expect(attempts.allSatisfy { $0.status == 201 }, "\(attempts.summary)")
                try await suite.expectAgreement(attempts)
                print("suite: \(attempts.summary), all settled after \(ContinuousClock.now - stopped)")
            }
        }

        @Test("killed and started again under load: nothing is lost")
        func killed() async throws {
            try await Suite.with { suite in
                let load = suite.load(clients: 8, pause: .milliseconds(20))
                try await grow(load, by: 200)
                try await Servers.kill(.rabbitmq)
                try await Servers.start(.rabbitmq)
                try await grow(load, by: 100)
                let attempts = await load.stop()
                #expect(attempts.allSatisfy { $0.status == 201 }, "\(attempts.summary)")
                try await suite.expectAgreement(attempts)
            }
        }

        @Test("queues deleted while they are in use are declared and consumed again")
        func queueDeleted() async throws {
            try await Suite.with { suite in
                let load = suite.load(clients: 8, pause: .milliseconds(20))
                for queue in ["cg_buying_addpoint", "cg_buying_finishaddpoint", "cg_buying_deductstock"] {
                    try await grow(load, by: 100)
                    try await suite.deleteQueue(queue)
                }
                try await grow(load, by: 100)
                let attempts = await load.stop()
                #expect(attempts.allSatisfy { $0.status == 201 }, "\(attempts.summary)")
                try await suite.expectAgreement(attempts)
            }
        }

        private struct Tasks: Decodable {
            struct Task: Decodable {
                let id: Int
                let taskType: String
                let status: String
                let attempts: Int
                let errormsg: String?
            }
            struct Counts: Decodable {
                let pending: Int
                let parked: Int
            }
            let tasks: [Task]
            let counts: Counts
        }

        @Test("a task that no queue takes says why, is tried again, parked, listed, and sent when an operator says so")
        func unroutable() async throws {
            try await Suite.with(settings: ["TASK_MAX_ATTEMPTS": "3"]) { suite in
                func tasks(_ query: String) async throws -> Tasks {
                    try await suite.send("GET", .order, "/tasks" + query, authorized: true).decode()
                }
                try await suite.stop(try suite.process(.userPoints))
                try await suite.deleteQueue("cg_buying_addpoint")
                let attempts = await suite.load(clients: 2, limit: 5).finished()
                try await eventually("a refusal is noted", within: .seconds(10)) {
                    try await tasks("").tasks.contains {
                        $0.errormsg?.contains("312") == true && $0.status == "pending"
                    }
                }
                try await eventually("all are parked", within: .seconds(30)) {
                    try await tasks("").counts.parked == 5
                }
                let parked = try await tasks("?status=parked").tasks
                #expect(parked.count == 5)
                #expect(parked.allSatisfy { $0.taskType == "addpoint" && $0.attempts == 3 && $0.status == "parked" })
                #expect(parked.allSatisfy { $0.errormsg?.contains("312") == true })
                try await eventually("the metric shows it") {
                    try await suite.metric(.order, "settle_tasks_parked") == 5
                }

                try await suite.restart(.userPoints)
                #expect(try await suite.send("POST", .order, "/tasks/\(parked[0].id)/retry").status == 401)
                #expect(try await suite.send("POST", .order, "/tasks/987654/retry", authorized: true).status == 404)
                for task in parked {
                    let answer = try await suite.send("POST", .order, "/tasks/\(task.id)/retry", authorized: true)
                    #expect(answer.status == 202)
                }
                try await suite.expectAgreement(attempts)
                #expect(try await tasks("").counts.parked == 0)
            }
        }

        @Test("a memory alarm parks nothing, however long it lasts; what was parked is retried by one call")
        func alarm() async throws {
            // At an attempt for each lease all would be parked within two seconds.
            let impatient = ["TASK_MAX_ATTEMPTS": "3", "TASK_LEASE": "300ms", "TASK_SCAN_INTERVAL": "100ms"]
            try await Suite.with(settings: impatient) { suite in
                func tasks(_ query: String) async throws -> Tasks {
                    try await suite.send("GET", .order, "/tasks" + query, authorized: true).decode()
                }
                try await Servers.rabbitmqctl("set_vm_memory_high_watermark", "0.000001")
                let attempts = await suite.load(clients: 4, limit: 60).finished()
                // Fifteen times what three attempts take.
                try await Task.sleep(for: .seconds(15))
                let during = try await tasks("")
                let written = try await suite.number(.order, "SELECT sum(xmin::text::bigint)::bigint FROM task")
                try await Task.sleep(for: .seconds(2))
                let later = try await suite.number(.order, "SELECT sum(xmin::text::bigint)::bigint FROM task")
                try await Servers.rabbitmqctl("set_vm_memory_high_watermark", "absolute", "1GB")
                #expect(attempts.count(status: 201) == 60, "\(attempts.summary)")
                #expect(during.counts.pending == 60)
                #expect(during.counts.parked == 0)
                #expect(during.tasks.allSatisfy { $0.attempts <= 1 })
                #expect(written == later, "no scan writes what cannot be sent")
                try await suite.expectAgreement(attempts)

                _ = try await suite.rows(
                    .order,
                    """
                    INSERT INTO task (task_type, business_key, mq_exchange, mq_routingkey, request_body, due_time, status)
                    SELECT 'addpoint', gen_random_uuid(), 'ex_buying_addpointurse', 'addpoint', '{"userName":"ghost","orderId":"g'
                        || n || '","point":1}', now(), 'parked' FROM generate_series(1, 700) n
                    """)
                func retry(_ json: String?) async throws -> String {
                    let answer = try await suite.send("POST", .order, "/tasks/retry", json: json, authorized: true)
                    #expect(answer.status == 202)
                    return answer.text
                }
                #expect(try await suite.send("POST", .order, "/tasks/retry").status == 401)
                #expect(try await retry(#"{"taskType":"restock"}"#).contains(#""retried":0"#))
                #expect(try await retry(nil).contains(#""retried":700"#))
                #expect(try await retry("{}").contains(#""retried":0"#))
                try await eventually("they are sent") { try await tasks("").counts.parked == 0 }
            }
        }
    }
}
