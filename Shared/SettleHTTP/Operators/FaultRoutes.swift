import Foundation
package import Hummingbird
package import Logging
package import Settle
import SettleServiceKit

/// `/faults`, for demonstrations: has a process crash, pause and fail on demand. Only where `FAULT_SWITCHES` is on; internal.
///
/// Whatever is asked for ends by itself, within a minute at most.
package struct FaultRoutes: Sendable {
    static let maxSeconds = 60

    private struct State: Encodable {
        /// Another one after each start.
        let process: UUID
        let points: [String]
    }

    struct Plan: Decodable {
        let faults: String
        let seconds: Int
    }

    struct Order: Decodable {
        let action: String
        let seconds: Int?
    }

    private let failpoints: Failpoints
    private let logger: Logger
    private let process = UUID()

    /// Nil where faults cannot be switched.
    package init?(_ failpoints: Failpoints, logger: Logger) {
        guard !failpoints.switchable.isEmpty else { return nil }
        self.failpoints = failpoints
        self.logger = logger
    }

    /// Adds what can fail, planning it, and what can be done to the process.
    package func add(to guarded: RouterGroup<some RequestContext>) {
        guarded.on("faults", method: .get) { _, _ in
            try Response.json(State(process: process, points: failpoints.switchable.sorted()))
        }
        guarded.on("faults", method: .put) { request, context in
            let plan = try await requireJSON(Plan.self, from: request, context: context)
            try Check.range("seconds", plan.seconds, in: 1...Self.maxSeconds)
            do {
                try failpoints.plan(plan.faults, for: .seconds(plan.seconds))
            } catch let error as Failpoints.Unreadable {
                throw Problem.unprocessable("faults: \(error.description)")
            }
            logger.warning("faults are planned", metadata: ["faults": "\(plan.faults)", "seconds": "\(plan.seconds)"])
            return Response.empty(.accepted)
        }
        guarded.on("faults/process", method: .post) { request, context in
            let order = try await requireJSON(Order.self, from: request, context: context)
            try Check.choice("action", order.action, of: ["kill", "restart", "pause"])
            let seconds = order.seconds ?? 5
            try Check.range("seconds", seconds, in: 1...Self.maxSeconds)
            logger.warning("told to", metadata: ["action": "\(order.action)", "seconds": "\(seconds)"])
            if order.action == "pause" {
                try pause(seconds)
            } else {
                // The answer goes first.
                Task {
                    try await Task.sleep(for: .milliseconds(50))
                    if order.action == "kill" { Failpoints.crash() } else { kill(getpid(), SIGTERM) }
                }
            }
            return Response.empty(.accepted)
        }
    }

    /// Who is stopped cannot go on by itself: a shell stops this process, and lets it go on.
    private func pause(_ seconds: Int) throws {
        let shell = Process()
        shell.executableURL = URL(filePath: "/bin/sh")
        shell.arguments = ["-c", "sleep 0.05; kill -STOP \(getpid()); sleep \(seconds); kill -CONT \(getpid())"]
        // Nothing that this process knows.
        shell.environment = ["PATH": "/usr/bin:/bin"]
        try shell.run()
    }
}
