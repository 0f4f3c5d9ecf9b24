import Synchronization

/// Calls to somebody who may never answer: each has a time, and there are only so many under way.
///
/// A call that takes too long is cancelled and not waited for; until it ends it counts among those under way.
final class BoundedCalls: Sendable {
    /// A call took longer than it may.
    struct TooLong: Error {}
    /// Too many calls are under way, none of which has ended in its time.
    struct TooMany: Error {}

    private static let most = 64
    private let running = Atomic(0)

    /// What `body` returns or throws, if it does within `limit`.
    func call<Answer: Sendable>(
        within limit: Duration, _ body: @escaping @Sendable () async throws -> Answer
    ) async throws -> Answer {
        guard running.add(1, ordering: .relaxed).newValue <= Self.most else {
            running.subtract(1, ordering: .relaxed)
            throw TooMany()
        }
        let (answers, answer) = AsyncStream.makeStream(
            of: Result<Answer, any Error>.self, bufferingPolicy: .bufferingOldest(1))
        let work = Task {
            let result: Result<Answer, any Error>
            do { result = .success(try await body()) } catch { result = .failure(error) }
            self.running.subtract(1, ordering: .relaxed)
            answer.yield(result)
        }
        let timer = Task {
            // Cancelled when the answer is there.
            try? await Task.sleep(for: limit)
            work.cancel()
            answer.yield(.failure(TooLong()))
        }
        defer { timer.cancel() }
        var first = answers.makeAsyncIterator()
        // Nil when the caller was cancelled; the call itself goes on, and its time does.
        guard let result = await first.next() else { throw CancellationError() }
        return try result.get()
    }
}
