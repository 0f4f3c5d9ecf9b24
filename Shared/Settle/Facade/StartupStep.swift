package import SettleCore
package import Logging
import ServiceLifecycle
import Synchronization

/// Work that must be done once before the service can serve, such as migrations, and that waits for the database to
/// be there instead of stopping the process.
package final class StartupStep: Service, Sendable {
    private let name: String
    private let logger: Logger
    private let backoff: Backoff
    private let isPermanent: @Sendable (any Error) -> Bool
    private let body: @Sendable () async throws -> Void
    private let done = Atomic(false)
    private let failed = Mutex<@Sendable (any Error) async -> Void>({ _ in })

    /// - Parameters:
    ///   - isPermanent: errors that no later try can mend; `run()` throws them, which ends the process.
    ///   - body: may be called many times; the last call is the one that succeeds.
    package init(
        _ name: String, logger: Logger,
        backoff: Backoff = Backoff(initial: .milliseconds(100), cap: .seconds(5)),
        isPermanent: @escaping @Sendable (any Error) -> Bool = { _ in false },
        _ body: @escaping @Sendable () async throws -> Void
    ) {
        self.name = name
        self.logger = logger
        self.backoff = backoff
        self.isPermanent = isPermanent
        self.body = body
    }

    /// Has `action` done after each failure that a later try may mend, before the pause that follows.
    package func afterFailure(_ action: @escaping @Sendable (any Error) async -> Void) {
        failed.withLock { $0 = action }
    }

    /// Whether `body` has succeeded.
    package var isDone: Bool { done.load(ordering: .acquiring) }

    /// Returns once `body` has succeeded; false when the caller was cancelled before.
    package func waitUntilDone() async -> Bool {
        while !isDone {
            do { try await Task.sleep(for: .milliseconds(20)) } catch { return false }
        }
        return true
    }

    /// Tries until it succeeds, then waits for the shutdown.
    package func run() async throws {
        try await cancelWhenGracefulShutdown { try await self.attempt() }
    }

    private func attempt() async throws {
        var failures = 0
        while !Task.isCancelled {
            do {
                try await body()
                done.store(true, ordering: .releasing)
                logger.info("startup step done", metadata: ["step": "\(name)"])
                break
            } catch is CancellationError where Task.isCancelled {
                return
            } catch {
                if isPermanent(error) { throw error }
                failures += 1
                logger.warning("startup step failed", metadata: ["step": "\(name)", "error": "\(error)"])
                await failed.withLock { $0 }(error)
            }
            // Throws only when cancelled, which the loop sees; so does the sleep below.
            try? await Task.sleep(for: backoff.delay(attempt: failures))
        }
        // A service that returns ends the group; this one has nothing more to do until then.
        while !Task.isCancelled { try? await Task.sleep(for: .seconds(3600)) }
    }
}
