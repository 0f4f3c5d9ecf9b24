import SettleTestSupport
import Testing

extension Proof {
    /// The crash table of docs/message-centre.md, row by row, each under load.
    @Suite("Mode centre: the crash table", .timeLimit(.minutes(10)))
    struct CentreCrashTests {
        @Test(
            "a service that dies at a named point under load, and is started again: all settles, each message is archived once",
            arguments: [
                (
                    Role.order,
                    [
                        "producer.saved", "producer.beforePrepare", "producer.prepared", "order.beforeCommit",
                        "order.committed", "producer.beforeConfirm", "producer.confirmed", "producer.beforeOutcome",
                        "producer.outcome",
                    ]
                ),
                (
                    .messageCentre,
                    [
                        "centre.beforePrepare", "centre.prepared", "centre.beforeConfirm", "centre.confirmed",
                        "relay.published", "centre.beforeAck", "centre.acknowledged", "centre.told",
                    ]
                ),
                (.stock, ["inbox.beforeCommit", "inbox.committed", "inbox.answered"]),
                (.userPoints, ["inbox.beforeCommit", "inbox.committed", "inbox.answered"]),
            ])
        func namedPoint(role: Role, points: [String]) async throws {
            try await Suite.withCentre { suite in
                let load = suite.centreLoad()
                for (number, point) in points.enumerated() {
                    try await suite.stop(try suite.process(role))
                    let doomed = try suite.start(
                        role, settings: ["SETTLE_FAULTS": "\(point)=kill@\(10 + 3 * number)"])
                    #expect(try await doomed.awaitExit(within: .seconds(30)) == .signal(9), "\(point)")
                    try await suite.restart(role)
                    try await grow(load, by: 40)
                }
                let attempts = await load.stop()
                print("suite: \(role.rawValue) crashed \(points.count) times in mode centre: \(attempts.summary)")
                try await suite.expectAgreement(attempts)
                try await suite.expectMessagesArchived()
            }
        }

        @Test(
            "the centre dies as it asks about messages whose business never was, and is asked again: they are discarded",
            arguments: ["centre.checkClaimed", "centre.checkAnswered"])
        func checking(point: String) async throws {
            try await Suite.withCentre { suite in
                // Every order fails after its pre-message is saved, and so prepared.
                try await suite.stop(try suite.process(.order))
                let failing = try suite.start(.order, settings: ["SETTLE_FAULTS": "order.beforeCommit=throw"])
                try await suite.awaitReady(failing)
                try await suite.stop(try suite.process(.messageCentre))
                let doomed = try suite.start(.messageCentre, settings: ["SETTLE_FAULTS": "\(point)=kill"])
                try await suite.awaitReady(doomed)
                let refused = await suite.centreLoad(clients: 4, limit: 20).finished()
                #expect(refused.allSatisfy { $0.status == 500 }, "\(refused.summary)")
                #expect(try await doomed.awaitExit(within: .seconds(30)) == .signal(9), "\(point)")
                try await suite.restart(.messageCentre)
                try await suite.stop(failing)
                try await suite.restart(.order)
                try await suite.expectMessagesArchived()
                let discarded = try await suite.number(
                    .messageCentre, "SELECT count(*) FROM message WHERE status = 'discarded'")
                #expect(discarded == 20)
                #expect(try await suite.number(.order, "SELECT count(*) FROM orders") == 0)
            }
        }

        @Test("all killed at once under load, and started again: all settles exactly once")
        func allAtOnce() async throws {
            try await Suite.withCentre { suite in
                let load = suite.centreLoad(clients: 12, pause: .zero)
                try await grow(load, by: 200)
                for process in suite.running { process.signal(9) }
                for process in suite.running { try await process.awaitExit() }
                for role in Role.everyone { try suite.start(role) }
                for role in Role.everyone { try await suite.awaitReady(role) }
                try await grow(load, by: 100)
                let attempts = await load.stop()
                try await suite.expectAgreement(attempts)
                try await suite.expectMessagesArchived()
            }
        }
    }
}
