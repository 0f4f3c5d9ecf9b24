import SettleCore
import Dispatch
import Synchronization

/// What callers put in and the connection's thread takes out, all at once.
final class CommandQueue: Sendable {
    /// One `send`.
    struct Job: Sendable {
        let commands: [RedisCommand]
        let answer: CheckedContinuation<Result<[RedisReply], RedisError>, Never>
        let bytes: Int

        init(commands: [RedisCommand], answer: CheckedContinuation<Result<[RedisReply], RedisError>, Never>) {
            self.commands = commands
            self.answer = answer
            bytes = commands.reduce(0) { $0 + $1.byteCount }
        }
    }

    /// What the thread finds when it wakes.
    enum Content: Sendable {
        case jobs([Job])
        /// Nothing came for as long as it was willing to wait.
        case nothing
        /// Stop was asked for and everything accepted before is done.
        case stop
    }

    private struct State {
        var jobs: [Job] = []
        var waiting = 0
        var waitingBytes = 0
        var isUp = false
        var isStopping = false
        var isSleeping = false
    }

    private let state = Mutex(State())
    private let wake = DispatchSemaphore(value: 0)
    private let maxWaiting: Int
    private let maxWaitingBytes: Int
    /// A round ends with the job that reaches one of these, so that neither its memory nor its time grows with the queue.
    private static let maxRound = 4096
    private static let maxRoundBytes = 1024 * 1024

    init(maxWaiting: Int, maxWaitingBytes: Int = .max) {
        self.maxWaiting = maxWaiting
        self.maxWaitingBytes = maxWaitingBytes
    }

    var isUp: Bool { state.withLock { $0.isUp } }

    var waitingBytes: Int { state.withLock { $0.waitingBytes } }

    /// Takes the job over, or says at once why not.
    func add(_ job: Job) {
        let refusal: RedisError? = state.withLock { state in
            if state.isStopping { return .closed }
            if !state.isUp { return .unavailable }
            if state.waiting + job.commands.count > maxWaiting { return .overloaded }
            if job.bytes > maxWaitingBytes - state.waitingBytes { return .overloaded }
            state.jobs.append(job)
            state.waiting += job.commands.count
            state.waitingBytes += job.bytes
            rouse(&state)
            return nil
        }
        if let refusal { job.answer.resume(returning: .failure(refusal)) }
    }

    /// From here on jobs are accepted, or refused at once; those that still wait when it goes down fail.
    func setUp(_ isUp: Bool) {
        let failed = state.withLock { state in
            state.isUp = isUp
            guard !isUp else { return [Job]() }
            defer {
                state.jobs = []
                state.waiting = 0
                state.waitingBytes = 0
            }
            return state.jobs
        }
        for job in failed { job.answer.resume(returning: .failure(.unavailable)) }
    }

    func stop() {
        state.withLock { state in
            state.isStopping = true
            rouse(&state)
        }
    }

    /// The thread's side: waits until there is something, for at most `timeout`.
    func take(timeout: Duration) -> Content {
        if let content = takeNow(orSleep: true) { return content }
        // A monotonic clock: setting the wall clock back must not put this thread to sleep for an hour.
        let result = wake.wait(timeout: .now() + .milliseconds(timeout.milliseconds))
        if result == .timedOut {
            let wasRoused = state.withLock { state in
                defer { state.isSleeping = false }
                return !state.isSleeping
            }
            // Roused between the time-out and the lock: the signal is there and must be consumed.
            if wasRoused { wake.wait() }
        }
        return takeNow(orSleep: false) ?? .nothing
    }

    private func takeNow(orSleep: Bool) -> Content? {
        state.withLock { state in
            if !state.jobs.isEmpty { return .jobs(takeRound(&state)) }
            if state.isStopping { return .stop }
            state.isSleeping = orSleep
            return nil
        }
    }

    private func takeRound(_ state: inout State) -> [Job] {
        var count = 0
        var commands = 0
        var bytes = 0
        while count < state.jobs.count, commands < Self.maxRound, bytes < Self.maxRoundBytes {
            commands += state.jobs[count].commands.count
            bytes += state.jobs[count].bytes
            count += 1
        }
        state.waiting -= commands
        state.waitingBytes -= bytes
        if count == state.jobs.count {
            defer { state.jobs = [] }
            return state.jobs
        }
        defer { state.jobs.removeFirst(count) }
        return Array(state.jobs[..<count])
    }

    /// One signal per sleep: the semaphore never counts beyond one.
    private func rouse(_ state: inout State) {
        guard state.isSleeping else { return }
        state.isSleeping = false
        wake.signal()
    }
}
