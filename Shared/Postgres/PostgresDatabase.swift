import SettleCore
public import Logging
public import ServiceLifecycle
import Synchronization

/// A PostgreSQL database: a fixed number of connections, each on its own thread, behind one bounded queue.
///
/// A call waits for a connection at most `waitTimeout`; it fails at once while no connection is up. A cancelled task
/// leaves the queue with `CancellationError`; what has begun is finished.
public final class PostgresDatabase: Service, Sendable {
    package let configuration: PostgresConfiguration
    private let losesConnection: LossOnDemand?
    private let queue: JobQueue
    private let span: DatabaseSpan
    private let logger: Logger
    private let hasRun = Atomic(false)

    /// Nothing is opened before `run()`; calls made before it wait.
    public convenience init(_ configuration: PostgresConfiguration, logger: Logger) {
        self.init(configuration, logger: logger, losesConnection: nil)
    }

    /// - Parameter losesConnection: for tests of what code does that loses its connection at a commit.
    package init(_ configuration: PostgresConfiguration, logger: Logger, losesConnection: LossOnDemand?) {
        self.configuration = configuration
        self.losesConnection = losesConnection
        self.logger = logger
        queue = JobQueue(configuration)
        span = DatabaseSpan(configuration.settings)
    }

    /// Whether at least one connection is up.
    public var isUp: Bool { queue.isUp }

    /// Keeps the connections open until a graceful shutdown, at which new calls are refused as `.closed`, those
    /// accepted are finished and the connections closed; cancellation closes them at once. To be called once.
    public func run() async throws {
        guard !hasRun.exchange(true, ordering: .acquiringAndReleasing) else {
            throw PostgresError(.closed, "run() was called before")
        }
        let count = max(1, configuration.connections)
        let ended = Latch(count: count)
        for number in 1...count {
            DedicatedThread.start(name: "postgres-\(number)") { [configuration, queue, logger] in
                ConnectionWorker(configuration, queue: queue, logger: logger).run()
                ended.countDown()
            }
        }
        await withTaskCancellationHandler {
            await withGracefulShutdownHandler {
                await withTaskGroup { group in
                    group.addTask { await self.expireWaiting() }
                    await ended.wait()
                    group.cancelAll()
                }
            } onGracefulShutdown: {
                self.queue.stop()
            }
        } onCancel: {
            queue.abort()
        }
        // A connection that was lost in the end may have left a job to others that had ended by then.
        queue.refuseRest()
    }

    /// Runs one statement on its own, committed when this returns: one round trip.
    ///
    /// - Parameters:
    ///   - sql: the statement.
    ///   - parameters: what is bound to it.
    ///   - caller: what it is called in traces.
    /// - Throws: `PostgresError`, or `CancellationError` when the task was cancelled while it waited.
    public func query(
        _ sql: String, _ parameters: [PostgresValue] = [], caller: StaticString = #function
    ) async throws -> PostgresRows {
        let statement = Statement(sql, parameters)
        try statement.validate()
        return try await span.around(caller, sql: sql) {
            try await submit(bytes: statement.roughSize) { [losesConnection] worker in
                try losesConnection?.reach(.beforeCommit)
                // What is not plain may commit on its own while it runs. Nor is it prepared: an error that speaks of a stale
                // plan would then come from inside of it, after such a commit perhaps.
                let commitPoint = statement.isPlain ? 1 : 0
                let exchange = try worker.exchange(
                    [statement], commitPoint: commitPoint, isFirst: true, isPrepared: commitPoint == 1)
                if let error = exchange.error(commitPoint: commitPoint) { throw error }
                try losesConnection?.reach(.afterCommit)
                guard let result = exchange.results[0] else {
                    throw PostgresError(.commitUnknown, "no result", statement: sql)
                }
                return PostgresRows(result: result)
            }
        }
    }

    /// Runs a text of several statements separated by semicolons, in one transaction unless it holds its own. For
    /// trusted texts such as migrations. Rows are dropped, those of a COPY to the client too; one from the client fails.
    public func script(_ sql: String) async throws {
        try Statement(sql).validate(isScript: true)
        try await submit(bytes: sql.utf8.count) { worker in
            do throws(PostgresError) {
                try worker.script(sql, isFirst: true)
            } catch {
                throw error.kind == .connectionLost ? error.asKind(.commitUnknown) : error
            }
        }
    }

    /// Runs a transaction: `body` on a connection's thread, then COMMIT (or PREPARE TRANSACTION).
    ///
    /// One that only adds statements is one round trip. When `body` throws, the transaction is rolled back and the
    /// error thrown on. `body` must not block for anything but the transaction's own calls, and may be run again: on
    /// another connection when the first one was lost before anything was done, and once more when a migration made a
    /// prepared statement stale in the midst of it. What the first run did is rolled back then.
    ///
    /// - Parameters:
    ///   - ending: how the transaction ends when `body` has returned.
    ///   - bytes: about how many bytes `body` keeps while it waits, where they are many.
    ///   - caller: what it is called in traces.
    ///   - body: what the transaction does.
    /// - Throws: what `body` throws, `PostgresError`, or `CancellationError` when the task was cancelled while it
    ///   waited. After `.commitUnknown` the transaction is either committed or not.
    @discardableResult
    public func transaction<R: Sendable>(
        ending: PostgresEnding = .commit, bytes: Int = 0, caller: StaticString = #function,
        _ body: @escaping @Sendable (borrowing PostgresTransaction) throws -> R
    ) async throws -> R {
        try await span.around(caller) { try await run(ending, bytes: bytes, body) }
    }

    private func run<R: Sendable>(
        _ ending: PostgresEnding, bytes: Int, _ body: @escaping @Sendable (borrowing PostgresTransaction) throws -> R
    ) async throws -> R {
        try await submit(bytes: bytes) { [losesConnection] worker in
            var isPrepared = true
            while true {
                let context = TransactionContext(worker, isPrepared: isPrepared)
                do {
                    let value = try body(PostgresTransaction(context: context))
                    try losesConnection?.reach(.beforeCommit)
                    try context.finish(ending)
                    try losesConnection?.reach(.afterCommit)
                    return value
                } catch {
                    worker.rollBack()
                    // Whatever the body made of it.
                    if let failure = context.failure, failure.isWorthMoving { throw failure }
                    guard isPrepared, context.failure?.isStalePlan == true else { throw error }
                    // In the second run each statement is parsed right before it is executed, with the locks held.
                    worker.forgetPrepared()
                    isPrepared = false
                }
            }
        }
    }

    private func submit<R: Sendable>(
        bytes: Int, _ body: @escaping @Sendable (ConnectionWorker) throws -> R
    ) async throws -> R {
        let job = Job(bytes: bytes, body)
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                job.waits(continuation)
                if Task.isCancelled {
                    // The handler below may have run before there was a continuation to resume.
                    job.fail(CancellationError())
                } else if let refusal = queue.append(job) {
                    job.fail(refusal)
                }
            }
        } onCancel: {
            job.fail(CancellationError())
            queue.remove(job)
        }
    }

    /// Refuses jobs that wait too long, until cancelled.
    private func expireWaiting() async {
        // A fifth late at most; it goes on while nobody asks anything, too.
        let interval = max(configuration.waitTimeout / 5, .milliseconds(10))
        await Task.every(interval) { queue.expire() }
    }
}
