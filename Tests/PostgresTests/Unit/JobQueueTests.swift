import Testing

@testable import Postgres

@Suite("The job queue")
struct JobQueueTests {
    private func queue(maxWaiting: Int = 3, waitTimeout: Duration = .seconds(60)) -> JobQueue {
        JobQueue(maxWaiting: maxWaiting, waitTimeout: waitTimeout)
    }

    private func job() -> Job<Void> { Job { _ in } }

    /// Whether the next thing is this job.
    private func next(_ queue: JobQueue, is job: Job<Void>) -> Bool {
        if case .job(let next) = queue.next(within: 0) { next === job } else { false }
    }

    @Test("first in, first out, up to the bound")
    func order() {
        let queue = queue()
        let jobs = (0..<4).map { _ in job() }
        #expect(jobs.prefix(3).allSatisfy { queue.append($0) == nil })
        #expect(queue.append(jobs[3])?.kind == .overloaded)
        queue.remove(jobs[1])
        #expect(next(queue, is: jobs[0]) && next(queue, is: jobs[2]))
        #expect(queue.append(jobs[3]) == nil && next(queue, is: jobs[3]))
        guard case .idle = queue.next(within: 0) else { return #expect(Bool(false), "not idle") }
    }

    @Test("refused at once after a failed attempt, unless a connection is there")
    func failFast() {
        let queue = queue()
        let waiting = job()
        #expect(queue.append(waiting) == nil, "before the first attempt is over it waits")
        #expect(queue.attemptFailed(PostgresError(.unavailable)))
        #expect(!queue.attemptFailed(PostgresError(.unavailable)), "no news")
        #expect(queue.append(job())?.kind == .unavailable)
        #expect(queue.connectionOpened() && queue.isUp && !queue.connectionOpened())
        #expect(!queue.attemptFailed(PostgresError(.unavailable)), "another connection is there")
        #expect(queue.append(job()) == nil)
        queue.connectionClosed()
        queue.connectionClosed()
        #expect(!queue.isUp && queue.append(job()) == nil, "lost, but nobody has tried again yet")
    }

    @Test("stopped: refuses, and is finished when the rest is taken")
    func stop() {
        let queue = queue()
        let last = job()
        _ = queue.append(last)
        queue.stop()
        #expect(queue.append(job())?.kind == .closed)
        #expect(next(queue, is: last))
        guard case .finished = queue.next(within: 10) else { return #expect(Bool(false), "not finished") }
        queue.pause(.seconds(10))
    }

    @Test("those that wait too long leave, oldest first")
    func expiry() {
        let queue = queue(waitTimeout: .zero)
        _ = queue.append(job())
        queue.expire()
        guard case .idle = queue.next(within: 0) else { return #expect(Bool(false), "not expired") }
    }

    @Test("the queue of elements: any order of additions and removals")
    func fifo() {
        var fifo = FIFO<Int>()
        var expected: [Int] = []
        for step in 0..<1_000 {
            if step % 3 == 2 {
                #expect(fifo.popFirst() == (expected.isEmpty ? nil : expected.removeFirst()))
            } else {
                fifo.append(step)
                expected.append(step)
            }
            if step % 50 == 49 {
                fifo.remove { $0 == expected[expected.count / 2] }
                expected.remove(at: expected.count / 2)
            }
            #expect(fifo.count == expected.count && fifo.first == expected.first)
        }
        #expect(fifo.removeAll() == expected && fifo.isEmpty)
    }
}
