import Dispatch

/// Does something asynchronous in the middle of a transaction's closure, which is synchronous and has a thread of its
/// own: it may block, and what it waits for runs on another connection.
func blocking(_ body: @escaping @Sendable () async throws -> Void) throws {
    let done = DispatchSemaphore(value: 0)
    let failure = Shared<(any Error)?>(nil)
    Task {
        do { try await body() } catch { failure.set(error) }
        done.signal()
    }
    done.wait()
    if let error = failure.value { throw error }
}
