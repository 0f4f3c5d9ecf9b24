import SettleCore
import Foundation
import Synchronization

/// Clients that place orders, each on a thread and a connection of its own, until so many are placed or they are told
/// to stop.
package final class Load: Sendable {
    private struct State {
        var attempts: [Attempt] = []
        var started = 0
        var isStopped = false
        var running = 0
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state: Mutex<State>
    private let limit: Int
    private let pause: Duration
    private let patience: Duration
    private let keyPrefix = UUID().uuidString.prefix(8)
    private let draft: @Sendable (Int) -> OrderDraft

    /// - Parameters:
    ///   - ports: where order listens; the clients share them out.
    ///   - limit: how many orders are asked for at most.
    ///   - pause: how long a client rests after each.
    ///   - patience: for how long an order that was not accepted is asked for again, with the same key.
    package init(
        ports: [Int], clients: Int, limit: Int = .max, pause: Duration = .zero,
        patience: Duration = .zero, draft: @escaping @Sendable (Int) -> OrderDraft = OrderDraft.varied
    ) {
        self.limit = limit
        self.pause = pause
        self.patience = patience
        self.draft = draft
        state = Mutex(State(running: clients))
        for client in 0..<clients {
            DedicatedThread.start(name: "client") { [self] in run(HTTPConnection(port: ports[client % ports.count])) }
        }
    }

    /// How many orders have been placed so far.
    package var placed: Int { state.withLock { $0.attempts.count(status: 201) } }

    /// How many orders have been asked for so far, from number 0 on.
    package var asked: Int { state.withLock { $0.started } }

    /// How many of them have been accepted.
    package var accepted: Int { state.withLock { $0.attempts.count { $0.isAccepted } } }

    /// All attempts, once as many orders as the limit says have been asked for.
    package func finished() async -> [Attempt] {
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                if state.running > 0 { state.waiter = continuation }
                return state.running == 0
            }
            if isOver { continuation.resume() }
        }
        return state.withLock { $0.attempts }
    }

    /// Has each client finish what it is doing; all attempts.
    package func stop() async -> [Attempt] {
        state.withLock { $0.isStopped = true }
        return await finished()
    }

    private func run(_ connection: HTTPConnection) {
        while let number = nextNumber() {
            let key = "\(keyPrefix)-\(number)"
            let deadline = ContinuousClock.now + patience
            var isAccepted = false
            repeat {
                let begin = ContinuousClock.now
                let outcome = place(draft(number), key, connection)
                let attempt = Attempt(key: key, outcome: outcome, latency: .now - begin)
                state.withLock { $0.attempts.append(attempt) }
                isAccepted = attempt.isAccepted
                // A service that is away is asked again a little later, as a client would.
                let rest = isAccepted ? pause : max(pause, .milliseconds(20))
                if rest > .zero { Thread.sleep(forTimeInterval: rest / .seconds(1)) }
            } while !isAccepted && .now < deadline
        }
        let waiter = state.withLock { state in
            state.running -= 1
            return state.running == 0 ? state.waiter : nil
        }
        waiter?.resume()
    }

    private func nextNumber() -> Int? {
        state.withLock { state in
            guard !state.isStopped, state.started < limit else { return nil }
            defer { state.started += 1 }
            return state.started
        }
    }

    private func place(
        _ draft: OrderDraft, _ key: String, _ connection: HTTPConnection
    ) -> Result<HTTPAnswer, HTTPFailure> {
        do {
            let body = try draft.json
            return .success(
                try connection.send(
                    "POST", "/orders", headers: ["Content-Type": "application/json", "Idempotency-Key": key], body: body
                ))
        } catch let failure as HTTPFailure {
            return .failure(failure)
        } catch {
            return .failure(.malformed("the request: \(error)"))
        }
    }
}
