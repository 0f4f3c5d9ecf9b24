import Dispatch
import Synchronization

/// Does something asynchronous in the middle of a transaction's closure, which is synchronous and has a thread of its
/// own: it may block, and what it waits for runs on another connection.
func blocking(_ body: @escaping @Sendable () async throws -> Void) throws {
    let done = DispatchSemaphore(value: 0)
    let failure = Mutex<(any Error)?>(nil)
    Task {
        do { try await body() } catch { failure.withLock { $0 = error } }
        done.signal()
    }
    done.wait()
    if let error = failure.withLock({ $0 }) { throw error }
}
