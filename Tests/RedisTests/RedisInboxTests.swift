import Testing

@testable import SettleRedis

@Suite("Redis inbox")
struct RedisInboxTests {
    /// Adds a job as `send` does and returns its result.
    private static func add(_ commands: [RedisCommand], to inbox: CommandQueue) async -> Result<[RedisReply], RedisError>
    {
        await withCheckedContinuation { inbox.add(CommandQueue.Job(commands: commands, answer: $0)) }
    }

    private static func take(from inbox: CommandQueue) -> [CommandQueue.Job] {
        guard case .jobs(let jobs) = inbox.take(timeout: .zero) else { return [] }
        return jobs
    }

    @Test("before it is up, jobs are refused at once")
    func down() async {
        let inbox = CommandQueue(maxWaiting: 10)
        #expect(await Self.add([.ping], to: inbox) == .failure(.unavailable))
    }

    @Test("beyond its bound jobs are refused, and going down fails those that wait")
    func bound() async {
        let inbox = CommandQueue(maxWaiting: 1)
        inbox.setUp(true)
        async let waiting = Self.add([.ping], to: inbox)
        var refused = await Self.add([.ping, .ping], to: inbox)
        #expect(refused == .failure(.overloaded))
        inbox.setUp(false)
        refused = await waiting
        #expect(refused == .failure(.unavailable))
    }

    @Test("it is bounded in bytes, too, and has room again when they are fetched")
    func boundInBytes() async {
        let large = RedisCommand(["ECHO", String(repeating: "x", count: 1000)])
        let inbox = CommandQueue(maxWaiting: 10, maxWaitingBytes: 2500)
        inbox.setUp(true)
        for _ in 0..<3 {
            async let first = Self.add([large], to: inbox)
            async let second = Self.add([large], to: inbox)
            while inbox.waitingBytes < 2000 { await Task.yield() }
            #expect(await Self.add([large], to: inbox) == .failure(.overloaded))
            #expect(await Self.add([large, large, large], to: inbox) == .failure(.overloaded))
            let jobs = Self.take(from: inbox)
            for job in jobs { job.answer.resume(returning: .success([.null])) }
            #expect(await [first, second] == [.success([.null]), .success([.null])])
        }
    }

    @Test("a round ends when it has many bytes")
    func roundInBytes() async {
        let large = RedisCommand(["ECHO", String(repeating: "x", count: 600_000)])
        let inbox = CommandQueue(maxWaiting: 10)
        inbox.setUp(true)
        async let first = Self.add([large], to: inbox)
        async let second = Self.add([large], to: inbox)
        async let third = Self.add([large], to: inbox)
        while inbox.waitingBytes < 1_800_000 { await Task.yield() }
        for count in [2, 1] {
            let jobs = Self.take(from: inbox)
            #expect(jobs.count == count)
            for job in jobs { job.answer.resume(returning: .success([.null])) }
        }
        #expect(await [first, second, third].allSatisfy { $0 == .success([.null]) })
    }

    @Test("what was accepted before a stop is still handed out, then the stop")
    func stop() async throws {
        let inbox = CommandQueue(maxWaiting: 10)
        inbox.setUp(true)
        let results = await withTaskGroup(of: Result<[RedisReply], RedisError>.self) { group in
            group.addTask { await Self.add([.ping], to: inbox) }
            group.addTask {
                // Until the job is there: the thread's side sleeps on it, so this returns by its signal.
                guard case .jobs(let jobs) = inbox.take(timeout: .seconds(10)) else { return .failure(.timeout) }
                inbox.stop()
                for job in jobs { job.answer.resume(returning: .success([.status("PONG")])) }
                guard case .stop = inbox.take(timeout: .zero) else { return .failure(.timeout) }
                return .success([])
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(results.contains(.success([.status("PONG")])))
        #expect(results.contains(.success([])))
        #expect(await Self.add([.ping], to: inbox) == .failure(.closed))
    }

    @Test("nothing comes: the wait ends by itself")
    func timeout() {
        let inbox = CommandQueue(maxWaiting: 1)
        guard case .nothing = inbox.take(timeout: .milliseconds(1)) else {
            Issue.record("something came out of an empty inbox")
            return
        }
    }
}
