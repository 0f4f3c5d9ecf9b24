import DequeModule
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

    /// What the state of the connections makes worth a log line.
    enum News {
        /// None is open any more, or none yet; the first one of all is.
        case away, back
        /// Some are open, and another one cannot be; all are again.
        case incomplete(open: Int), complete
    }

    private let size: Int
    private let maxWaiting: Int
    private let maxBytes: Int
    private let waitTimeout: Duration
    private let waitTimer: Timer
    private let waitingGauge: Gauge
    private let openGauge: Gauge

    private let condition = NSCondition()
    private var jobs = Deque<any AnyJob>() {
        didSet { waitingGauge.record(jobs.count) }
    }
    /// Of the jobs that wait.
    private var bytes = 0
    private var open = 0 {
        didSet { openGauge.record(open) }
    }
    /// How many connections were ever opened.
    private var openings = 0
    /// The last thing heard of the server was a failed attempt to connect.
    private var failure: PostgresError?
    /// That some cannot be opened has been told.
    private var isIncomplete = false
    private var stopped = false

    private let aborted = Atomic(false)

    init(_ configuration: PostgresConfiguration, metrics: any MetricsFactory = MetricsSystem.factory) {
        size = max(1, configuration.connections)
        maxWaiting = configuration.maxWaiting
        maxBytes = configuration.maxWaitingBytes
        waitTimeout = configuration.waitTimeout
        let pool = [("pool", configuration.name)]
        waitTimer = Timer(label: "postgres_pool_wait_seconds", dimensions: pool, factory: metrics)
        waitingGauge = Gauge(label: "postgres_pool_waiting", dimensions: pool, factory: metrics)
        openGauge = Gauge(label: "postgres_pool_open", dimensions: pool, factory: metrics)
        openGauge.record(0)
        Gauge(label: "postgres_pool_size", dimensions: pool, factory: metrics).record(size)
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
            guard bytes == 0 || bytes + job.bytes <= maxBytes else {
                return PostgresError(.overloaded, "jobs of \(bytes) bytes wait already")
            }
            jobs.append(job)
            bytes += job.bytes
            condition.signal()
            return nil
        }
    }

    /// Takes back a job that one connection could not do; false when there is no other.
    func giveBack(_ job: any AnyJob) -> Bool {
        locked {
            guard open > 0 else { return false }
            jobs.prepend(job)
            bytes += job.bytes
            condition.signal()
            return true
        }
    }

    /// Takes out a job whose task was cancelled.
    func remove(_ job: any AnyJob) {
        locked {
            if let index = jobs.firstIndex(where: { $0 === job }) {
                jobs.remove(at: index)
                bytes -= job.bytes
            }
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
            return popFirst()
        }
        guard let job else { return locked { stopped && jobs.isEmpty } ? .finished : .idle }
        waitTimer.record(duration: ContinuousClock.now - job.enqueued)
        return .job(job)
    }

    /// Refuses the jobs that have waited too long.
    func expire() {
        let limit = ContinuousClock.now - waitTimeout
        let late = locked {
            var late: [any AnyJob] = []
            while let job = jobs.first, job.enqueued < limit {
                late.append(job)
                _ = popFirst()
            }
            return late
        }
        for job in late { job.fail(PostgresError(.overloaded, "waited \(waitTimeout) for a connection")) }
    }

    // MARK: What the connections report

    /// Answers what is new about it.
    func connectionOpened() -> News? {
        locked {
            open += 1
            openings += 1
            failure = nil
            let wasIncomplete = isIncomplete
            if open >= size { isIncomplete = false }
            if open == 1 { return .back }
            return wasIncomplete && !isIncomplete ? .complete : nil
        }
    }

    func connectionClosed() {
        locked { open -= 1 }
    }

    /// Refuses all that wait, unless another connection is there; answers what is new about it.
    func attemptFailed(_ error: PostgresError) -> News? {
        let (news, refused) = locked { () -> (News?, [any AnyJob]) in
            guard open == 0 else {
                defer { isIncomplete = true }
                return (isIncomplete ? nil : .incomplete(open: open), [])
            }
            defer { failure = error }
            return (failure == nil ? .away : nil, removeAll())
        }
        for job in refused { job.fail(error) }
        return news
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
        stop()
        refuseRest()
    }

    /// Refuses what still waits when no connection will come for it.
    func refuseRest() {
        for job in locked({ removeAll() }) { job.fail(PostgresError(.closed, "the database is shutting down")) }
    }

    /// With the lock held.
    private func popFirst() -> (any AnyJob)? {
        guard let job = jobs.popFirst() else { return nil }
        bytes -= job.bytes
        return job
    }

    /// With the lock held.
    private func removeAll() -> [any AnyJob] {
        bytes = 0
        defer { jobs = [] }
        return Array(jobs)
    }

    private func locked<R>(_ body: () -> R) -> R {
        condition.lock()
        defer { condition.unlock() }
        return body()
    }
}
