import Foundation
import SettlePostgres
import SettleTestSupport
import Testing

extension Proof {
    @Suite("Load", .timeLimit(.minutes(4)))
    struct LoadTests {
        @Test("2,000 orders from 32 clients at once all settle, and the books agree to the unit")
        func manyClients() async throws {
            try await Suite.with { suite in
                let begin = ContinuousClock.now
                let attempts = await suite.load(clients: 32, limit: 2_000).finished()
                let placed = ContinuousClock.now
                #expect(attempts.count(status: 201) == 2_000, "\(attempts.summary)")
                let ledger = try await suite.expectAgreement(attempts)
                #expect(ledger.settled.count == 2_000)
                print("suite: 2,000 orders placed in \(placed - begin), settled in \(ContinuousClock.now - begin)")
            }
        }

        @Test("5,000 orders pile up while user-points is away, and are drained; memory stays bounded")
        func backlog() async throws {
            try await Suite.with { suite in
                try await suite.stop(try suite.process(.userPoints))
                let attempts = await suite.load(clients: 32, limit: 5_000).finished()
                #expect(attempts.count(status: 201) == 5_000, "\(attempts.summary)")
                try await eventually("5,000 tasks wait for user-points", within: .seconds(60)) {
                    try await suite.number(.order, "SELECT count(*) FROM task WHERE task_type = 'addpoint'") == 5_000
                }
                try await suite.restart(.userPoints)
                try await suite.expectAgreement(attempts, within: .seconds(120))
                for role in Role.allCases {
                    let megabytes = try suite.process(role).residentBytes / (1 << 20)
                    print("suite: \(role.rawValue) holds \(megabytes) MB after 5,000 orders")
                    #expect(megabytes < 300, "\(role.rawValue)")
                }
            }
        }

        @Test("two processes of order, stock and user-points each: every order settles once")
        func replicas() async throws {
            try await Suite.with { suite in
                var ports = [suite.port(.order)]
                for role in Role.allCases {
                    let replica = try suite.start(role, replica: true)
                    try await suite.awaitReady(replica)
                    if role == .order { ports.append(replica.port) }
                }
                let attempts = await suite.load(clients: 24, limit: 1_500, ports: ports).finished()
                #expect(attempts.count(status: 201) == 1_500, "\(attempts.summary)")
                try await suite.expectAgreement(attempts)
            }
        }

        @Test("too little stock and unknown users, mixed with good orders: cancelled, and nothing stays taken")
        func cancelled() async throws {
            try await Suite.with { suite in
                try await suite.putProduct("rare", price: 10, available: 100)
                try await suite.putProduct("scarce", price: 7, available: 1)
                let attempts = await suite.load(clients: 16, limit: 1_000) { number in
                    switch number % 5 {
                    case 0: OrderDraft("alice", ["tea": 1, "rare": 1])
                    case 1: OrderDraft("nobody-\(number)", ["cup": 2, "tea": 1])
                    case 2: OrderDraft("bob", ["scarce": 2])
                    default: .varied(number)
                    }
                }.finished()
                #expect(attempts.count(status: 201) == 1_000, "\(attempts.summary)")
                let ledger = try await suite.expectAgreement(
                    attempts, cancelled: 500, available: ["rare": 100, "scarce": 1])
                #expect(ledger.available["rare"] == 0)
                let reasons = try await suite.rows(
                    .order, "SELECT reason, count(*) FROM orders WHERE status = 'cancelled' GROUP BY 1 ORDER BY 1"
                ).map { "\(try $0.decode(String.self, at: 0)): \(try $0.decode(Int.self, at: 1))" }
                #expect(
                    reasons == [
                        "not enough stock of rare: 100", "not enough stock of scarce: 200", "unknown user: 200",
                    ])
            }
        }
    }
}
