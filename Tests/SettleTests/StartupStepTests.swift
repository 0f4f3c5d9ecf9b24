import SettleCore
import ServiceLifecycle
import SettleTestSupport
import Synchronization
import Testing

@testable import Settle

@Suite("Startup step", .timeLimit(.minutes(1)))
struct StartupStepTests {
    private struct Away: Error {}

    @Test("tried again until it succeeds, then it waits for the shutdown")
    func retries() async throws {
        let calls = Atomic(0)
        let (done, finish) = AsyncStream.makeStream(of: Void.self)
        let step = StartupStep(
            "test", logger: quiet,
            backoff: Backoff(initial: .milliseconds(1), cap: .milliseconds(1))
        ) {
            if calls.add(1, ordering: .relaxed).newValue < 3 { throw Away() }
            finish.finish()
        }
        #expect(!step.isDone)
        let group = ServiceGroup(services: [step], logger: quiet)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            for await _ in done {}
            while !step.isDone { await Task.yield() }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
        #expect(calls.load(ordering: .relaxed) == 3)
    }

    @Test("an error that no later try can mend ends the service")
    func permanent() async {
        let step = StartupStep("test", logger: quiet, isPermanent: { $0 is Away }) { throw Away() }
        await #expect(throws: Away.self) { try await step.run() }
        #expect(!step.isDone)
    }

    @Test("a shutdown ends the wait between two tries")
    func shutdown() async throws {
        let (tried, attempt) = AsyncStream.makeStream(of: Void.self)
        let step = StartupStep(
            "test", logger: quiet, backoff: Backoff(initial: .seconds(3600), cap: .seconds(3600))
        ) {
            attempt.yield()
            throw Away()
        }
        let group = ServiceGroup(services: [step], logger: quiet)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            for await _ in tried { break }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
        #expect(!step.isDone)
    }
}
