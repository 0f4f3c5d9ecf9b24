import Synchronization

/// Work that waits for a connection.
protocol AnyJob: AnyObject, Sendable {
    /// Since when it waits.
    var enqueued: ContinuousClock.Instant { get }
    /// Does it and tells the waiting task, unless that was cancelled.
    func run(on worker: ConnectionWorker)
    /// Tells the waiting task that it will not be done.
    func fail(_ error: any Error)
}

/// Work with its result and the task that waits for it. Whoever takes the continuation first decides: the thread
/// that runs it, its cancellation, or its refusal.
final class Job<R: Sendable>: AnyJob {
    let enqueued = ContinuousClock.now
    private let body: @Sendable (ConnectionWorker) throws -> R
    private let continuation = Mutex<CheckedContinuation<R, any Error>?>(nil)

    init(_ body: @escaping @Sendable (ConnectionWorker) throws -> R) {
        self.body = body
    }

    func waits(_ continuation: CheckedContinuation<R, any Error>) {
        self.continuation.withLock { $0 = continuation }
    }

    func run(on worker: ConnectionWorker) {
        guard let continuation = take() else { return }
        continuation.resume(with: Result { try body(worker) })
    }

    func fail(_ error: any Error) {
        take()?.resume(throwing: error)
    }

    private func take() -> CheckedContinuation<R, any Error>? {
        continuation.withLock { $0.take() }
    }
}
