import CoreMetrics
import MetricsTestKit
import Testing

@testable import SettlePostgres

@Suite("The job queue")
struct JobQueueTests {
    private func queue(
        waitTimeout: Duration = .seconds(60), name: String = "main",
        metrics: any MetricsFactory = NOOPMetricsHandler.instance
    ) throws -> JobQueue {
        var configuration = try PostgresConfiguration(url: "postgres://")
        configuration.name = name
        configuration.connections = 2
        (configuration.maxWaiting, configuration.maxWaitingBytes) = (3, 100)
        configuration.waitTimeout = waitTimeout
        return JobQueue(configuration, metrics: metrics)
    }

    private func job(bytes: Int = 0) -> Job<Void> { Job(bytes: bytes) { _ in } }

    /// Whether the next thing is this job.
    private func next(_ queue: JobQueue, is job: Job<Void>) -> Bool {
        if case .job(let next) = queue.next(within: 0) { next === job } else { false }
    }

    @Test("first in, first out, up to the bound")
    func order() throws {
        let queue = try queue()
        let jobs = (0..<4).map { _ in job() }
        #expect(jobs.prefix(3).allSatisfy { queue.append($0) == nil })
        #expect(queue.append(jobs[3])?.kind == .overloaded)
        queue.remove(jobs[1])
        #expect(next(queue, is: jobs[0]) && next(queue, is: jobs[2]))
        #expect(queue.append(jobs[3]) == nil && next(queue, is: jobs[3]))
        guard case .idle = queue.next(within: 0) else { return #expect(Bool(false), "not idle") }
    }

    @Test("refused at once after a failed attempt, unless a connection is there")
    func failFast() throws {
        let queue = try queue()
        let waiting = job()
        #expect(queue.append(waiting) == nil, "before the first attempt is over it waits")
        #expect(news(queue.attemptFailed(PostgresError(.unavailable))) == "away")
        #expect(queue.attemptFailed(PostgresError(.unavailable)) == nil, "no news")
        #expect(queue.append(job())?.kind == .unavailable)
        #expect(news(queue.connectionOpened()) == "back" && queue.isUp && queue.connectionOpened() == nil)
        #expect(queue.append(job()) == nil)
        queue.connectionClosed()
        queue.connectionClosed()
        #expect(!queue.isUp && queue.append(job()) == nil, "lost, but nobody has tried again yet")
    }

    private func news(_ news: JobQueue.News?) -> String? { news.map { "\($0)" } }

    @Test("a pool below its size is told once, and so is its being whole again")
    func incomplete() throws {
        let queue = try queue()
        _ = queue.connectionOpened()
        #expect(news(queue.attemptFailed(PostgresError(.unavailable))) == "incomplete(open: 1)")
        #expect(queue.attemptFailed(PostgresError(.unavailable)) == nil)
        #expect(queue.append(job()) == nil, "another connection is there")
        #expect(news(queue.connectionOpened()) == "complete")
        queue.connectionClosed()
        #expect(queue.connectionOpened() == nil, "a connection that comes back at once is no news")
    }

    @Test("the jobs that wait are bounded in bytes, too; a single one may have more")
    func bytes() throws {
        let queue = try queue()
        let (large, small) = (job(bytes: 1_000), job(bytes: 60))
        #expect(queue.append(large) == nil)
        #expect(queue.append(small)?.kind == .overloaded)
        #expect(next(queue, is: large) && queue.append(small) == nil)
        #expect(queue.append(job(bytes: 41))?.kind == .overloaded)
        queue.remove(small)
        queue.remove(small)
        let fitting = job(bytes: 100)
        #expect(queue.append(fitting) == nil && queue.append(job(bytes: 1))?.kind == .overloaded)
        #expect(next(queue, is: fitting) && queue.append(fitting) == nil)
    }

    @Test("a job given back goes before the others, and only to a connection that is there")
    func givenBack() throws {
        let queue = try queue()
        _ = queue.connectionOpened()
        let (first, second) = (job(), job())
        _ = queue.append(first)
        _ = queue.append(second)
        #expect(next(queue, is: first))
        #expect(queue.giveBack(first))
        #expect(next(queue, is: first) && next(queue, is: second))
        queue.connectionClosed()
        #expect(!queue.giveBack(job()))
    }

    @Test("two pools of one service have metrics of their own")
    func metrics() throws {
        let metrics = TestMetrics()
        for name in ["main", "ending"] {
            let queue = try queue(name: name, metrics: metrics)
            _ = queue.connectionOpened()
            _ = queue.append(job())
            if name == "main" { _ = queue.append(job()) }
            guard case .job = queue.next(within: 0) else { return #expect(Bool(false), "no job") }
        }
        for (name, waiting) in [("main", 1.0), ("ending", 0)] {
            let pool = [("pool", name)]
            #expect(try metrics.expectGauge("postgres_pool_waiting", pool).lastValue == waiting)
            #expect(try metrics.expectGauge("postgres_pool_open", pool).lastValue == 1)
            #expect(try metrics.expectGauge("postgres_pool_size", pool).lastValue == 2)
            #expect(try metrics.expectTimer("postgres_pool_wait_seconds", pool).values.count == 1)
        }
    }

    @Test("stopped: refuses, and is finished when the rest is taken")
    func stop() throws {
        let queue = try queue()
        let last = job()
        _ = queue.append(last)
        queue.stop()
        #expect(queue.append(job())?.kind == .closed)
        #expect(next(queue, is: last))
        guard case .finished = queue.next(within: 10) else { return #expect(Bool(false), "not finished") }
        queue.pause(.seconds(10))
    }

    @Test("those that wait too long leave, oldest first")
    func expiry() throws {
        let queue = try queue(waitTimeout: .zero)
        _ = queue.append(job())
        queue.expire()
        guard case .idle = queue.next(within: 0) else { return #expect(Bool(false), "not expired") }
    }
}
