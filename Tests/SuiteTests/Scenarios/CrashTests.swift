import SettleTestSupport
import Testing

extension Proof {
    @Suite("Crashes", .timeLimit(.minutes(4)))
    struct CrashTests {
        @Test(
            "a service that dies at a named point under load, and is started again: all settles exactly once",
            arguments: [
                (Role.userPoints, ["inbox.beforeCommit", "inbox.committed", "inbox.answered"]),
                (.stock, ["inbox.beforeCommit", "inbox.committed", "inbox.answered"]),
                (
                    .order,
                    ["order.beforeCommit", "order.committed", "finish.beforeCommit", "finish.committed"]
                ),
            ])
        func namedPoint(role: Role, points: [String]) async throws {
            try await Suite.with { suite in
                let load = suite.load(clients: 8, pause: .milliseconds(10), draft: OrderDraft.mixed)
                for (number, point) in points.enumerated() {
                    try await suite.stop(try suite.process(role))
                    let doomed = try suite.start(role, settings: ["SETTLE_FAULTS": "\(point)=kill@\(10 + 3 * number)"])
                    let exit = try await doomed.awaitExit(within: .seconds(30))
                    #expect(exit == .signal(9), "\(point)")
                    try await suite.restart(role)
                    try await grow(load, by: 50)
                }
                let attempts = await load.stop()
                print("suite: \(role.rawValue) crashed \(points.count) times: \(attempts.summary)")
                try await suite.expectAgreement(attempts)
            }
        }

        @Test("services killed at any moment under load: all settles exactly once")
        func anyMoment() async throws {
            try await Suite.with { suite in
                let load = suite.load(clients: 8, pause: .milliseconds(10), draft: OrderDraft.mixed)
                for role in [Role.userPoints, .order, .stock, .order, .userPoints, .stock] {
                    try await grow(load, by: .random(in: 20...60))
                    try await suite.process(role).crash()
                    try await suite.restart(role)
                }
                try await grow(load, by: 50)
                let attempts = await load.stop()
                print("suite: six crashes: \(attempts.summary)")
                try await suite.expectAgreement(attempts)
            }
        }

        @Test("what a dead process of order had committed and not yet published, its twin sends")
        func takeOver() async throws {
            try await Suite.with { suite in
                try await suite.stop(try suite.process(.order))
                let doomed = try suite.start(.order, settings: ["SETTLE_FAULTS": "order.committed=kill@30"])
                try await suite.awaitReady(doomed)
                let twin = try suite.start(.order, replica: true)
                try await suite.awaitReady(twin)
                let load = suite.load(
                    clients: 8, pause: .milliseconds(10), ports: [doomed.port, twin.port], draft: OrderDraft.mixed)
                #expect(try await doomed.awaitExit(within: .seconds(30)) == .signal(9))
                try await grow(load, by: 50)
                let attempts = await load.stop()
                try await suite.expectAgreement(attempts)
            }
        }

        @Test("all three killed at once under load, and started again: all settles exactly once")
        func allAtOnce() async throws {
            try await Suite.with { suite in
                let load = suite.load(clients: 16, draft: OrderDraft.mixed)
                try await grow(load, by: 300)
                for process in suite.running { process.signal(9) }
                for process in suite.running { try await process.awaitExit() }
                for role in Role.allCases { try suite.start(role) }
                for role in Role.allCases { try await suite.awaitReady(role) }
                try await grow(load, by: 100)
                try await suite.expectAgreement(await load.stop())
            }
        }
    }
}

/// Waits until `load` has placed so many more orders.
func grow(_ load: Load, by count: Int) async throws {
    let target = load.placed + count
    try await eventually("\(count) more orders are placed") { load.placed >= target }
}
