import Synchronization

/// Work that waits for a connection.
protocol AnyJob: AnyObject, Sendable {
    /// Since when it waits.
    var enqueued: ContinuousClock.Instant { get }
    /// About how many bytes it keeps meanwhile.
    var bytes: Int { get }
    /// Does it and tells the waiting task, unless that was cancelled. Answers why another connection should do it, when
    /// nothing of it was done.
    func run(on worker: ConnectionWorker) -> PostgresError?
    /// Tells the waiting task that it will not be done.
    func fail(_ error: any Error)
}

/// Work with its result and the task that waits for it. Whoever takes the continuation first decides: the thread
/// that runs it, its cancellation, or its refusal.
final class Job<R: Sendable>: AnyJob {
    private struct State {
        var continuation: CheckedContinuation<R, any Error>?
        /// What earlier connections made of it.
        var tries = Tries()
    }

    let enqueued = ContinuousClock.now
    let bytes: Int
    private let body: @Sendable (ConnectionWorker) throws -> R
    private let state = Mutex(State())

    init(bytes: Int = 0, _ body: @escaping @Sendable (ConnectionWorker) throws -> R) {
        self.bytes = bytes
        self.body = body
    }

    func waits(_ continuation: CheckedContinuation<R, any Error>) {
        state.withLock { $0.continuation = continuation }
    }

    func run(on worker: ConnectionWorker) -> PostgresError? {
        guard let continuation = take() else { return nil }
        worker.tries = state.withLock { $0.tries }
        do {
            continuation.resume(returning: try body(worker))
        } catch let error as PostgresError where error.isWorthMoving {
            state.withLock { state in
                state.continuation = continuation
                state.tries = worker.tries
            }
            return error
        } catch {
            continuation.resume(throwing: error)
        }
        return nil
    }

    func fail(_ error: any Error) {
        take()?.resume(throwing: error)
    }

    private func take() -> CheckedContinuation<R, any Error>? {
        state.withLock { $0.continuation.take() }
    }
}

/// What became of a job so far, so that nothing is tried for ever.
struct Tries {
    /// How often it left a connection that was lost.
    var moves = 0
    /// Whether its first statements were sent before, in vain.
    var wasSent = false
}
