import Foundation
import Metrics
import Synchronization

/// The one queue of jobs before all connections, and what the connections together know about the server.
///
/// `@unchecked Sendable`: every mutable property but the atomic is read and written only between `condition.lock()`
/// and `condition.unlock()`.
final class JobQueue: @unchecked Sendable {
    enum Next {
        case job(any AnyJob)
        /// Nothing came within the time.
        case idle
        /// Stopped, and nothing waits any more.
        case finished
    }

    private let maxWaiting: Int
    private let waitTimeout: Duration
    private let waitTimer = Timer(label: "postgres_pool_wait_seconds")
    private let waitingGauge = Gauge(label: "postgres_pool_waiting")

    private let condition = NSCondition()
    private var jobs = FIFO<any AnyJob>() {
        didSet { waitingGauge.record(jobs.count) }
    }
    private var open = 0
    /// How many connections were ever opened.
    private var openings = 0
    /// The last thing heard of the server was a failed attempt to connect.
    private var failure: PostgresError?
    private var stopped = false

    private let aborted = Atomic(false)

    init(maxWaiting: Int, waitTimeout: Duration) {
        self.maxWaiting = maxWaiting
        self.waitTimeout = waitTimeout
    }

    var isUp: Bool { locked { open > 0 } }
    var isStopped: Bool { locked { stopped } }
    var isAborted: Bool { aborted.load(ordering: .acquiring) }

    /// Takes the job, or answers why not.
    func append(_ job: any AnyJob) -> PostgresError? {
        locked {
            if stopped { return PostgresError(.closed, "the database is shutting down") }
            if open == 0, let failure { return failure }
            if jobs.count >= maxWaiting { return PostgresError(.overloaded, "\(maxWaiting) jobs wait already") }
            jobs.append(job)
            condition.signal()
            return nil
        }
    }

    /// Takes out a job whose task was cancelled.
    func remove(_ job: any AnyJob) {
        locked {
            jobs.remove { $0 === job }
        }
    }

    /// The next job, waiting for one at most until the time is over.
    func next(within seconds: Double) -> Next {
        let job: (any AnyJob)? = locked {
            var deadline: Date?
            while jobs.isEmpty, !stopped {
                let limit = deadline ?? Date(timeIntervalSinceNow: seconds)
                deadline = limit
                // A job may have come just as the time ran out.
                guard condition.wait(until: limit) else { break }
            }
            return jobs.popFirst()
        }
        guard let job else { return locked { stopped && jobs.isEmpty } ? .finished : .idle }
        waitTimer.recordNanoseconds((ContinuousClock.now - job.enqueued).nanoseconds)
        return .job(job)
    }

    /// Refuses the jobs that have waited too long.
    func expire() {
        let limit = ContinuousClock.now - waitTimeout
        let late = locked {
            var late: [any AnyJob] = []
            while let job = jobs.first, job.enqueued < limit {
                late.append(job)
                _ = jobs.popFirst()
            }
            return late
        }
        for job in late { job.fail(PostgresError(.overloaded, "waited \(waitTimeout) for a connection")) }
    }

    // MARK: What the connections report

    /// Answers whether it is the first one of all.
    func connectionOpened() -> Bool {
        locked {
            open += 1
            openings += 1
            failure = nil
            return open == 1
        }
    }

    func connectionClosed() {
        locked { open -= 1 }
    }

    /// Refuses all that wait, unless another connection is there; answers whether this is news.
    func attemptFailed(_ error: PostgresError) -> Bool {
        let (isNews, refused) = locked {
            guard open == 0 else { return (false, [any AnyJob]()) }
            defer { failure = error }
            return (failure == nil, jobs.removeAll())
        }
        for job in refused { job.fail(error) }
        return isNews
    }

    /// Waits before the next attempt to connect, until a connection opens elsewhere or the queue stops.
    ///
    /// By looking now and then: a timed wait of `condition` follows the wall clock, which may be set back by hours.
    func pause(_ duration: Duration) {
        let deadline = ContinuousClock.now + duration
        let before = locked { openings }
        while ContinuousClock.now < deadline, locked({ !stopped && openings == before }) {
            Thread.sleep(forTimeInterval: 0.05)
        }
    }

    // MARK: Stopping

    /// Takes no more jobs; those that wait are still done.
    func stop() {
        locked {
            stopped = true
            condition.broadcast()
        }
    }

    /// Gives up: what waits is refused, what runs loses its connection.
    func abort() {
        aborted.store(true, ordering: .releasing)
        let refused = locked { jobs.removeAll() }
        stop()
        for job in refused { job.fail(PostgresError(.closed, "the database is shutting down")) }
    }

    private func locked<R>(_ body: () -> R) -> R {
        condition.lock()
        defer { condition.unlock() }
        return body()
    }
}
