import Synchronization
import Tracing

/// Natural batching: while one batch is on its way, and for a short rest thereafter, the next gathers.
///
/// An idle system pays nothing for it (a lone item leaves at once), a busy one does its work in few large steps: see
/// ``BatchPace``. What gathers is bounded, in number and in bytes.
public final class Batcher<Item: Sendable, Outcome: Sendable>: Sendable {
    private struct Waiting {
        let item: Item
        let bytes: Int
        /// The caller's, where batches are followed in traces.
        let context: ServiceContext?
        let continuation: CheckedContinuation<Outcome, any Error>
    }

    private struct State {
        var waiting: [Waiting] = []
        /// Of those that wait.
        var bytes = 0
        var running = 0
        /// Whether somebody looks soon for those that have waited for too long.
        var isImpatient = false
    }

    private let limit: Int
    private let concurrency: Int
    /// How long an item waits for a batch on its way before it leaves beside it; nil: as long as that takes.
    private let patience: Duration?
    private let maxWaiting: Int
    private let maxBytes: Int
    private let size: @Sendable (Item) -> Int
    private let span: String?
    private let state = Mutex(State())
    private let perform: @Sendable ([Item]) async throws -> [Outcome]

    /// - Parameters:
    ///   - limit: how many items a batch holds at most.
    ///   - concurrency: how many batches may be on their way at once.
    ///   - patience: how long an item waits for batches on their way; then it leaves beside them, with what has gathered,
    ///     however many there are. For batches that may be on their way for long. Nil: they are waited for.
    ///   - maxWaiting: how many items may gather.
    ///   - maxBytes: how many bytes the items that gather may have together. A single one is taken whatever its size.
    ///   - size: about how many bytes an item keeps.
    ///   - span: what a batch is called in the trace of each who submitted an item of it; nil: it is in no trace.
    ///   - perform: does a batch; returns one outcome per item, in order. What it throws, every item of it throws. It
    ///     runs in a task that belongs to nobody: it has no caller's task-local values, and no caller's priority.
    public init(
        limit: Int, concurrency: Int = 1, patience: Duration? = nil, maxWaiting: Int = 16_384, maxBytes: Int = .max,
        size: @escaping @Sendable (Item) -> Int = { _ in 0 }, span: String? = nil,
        perform: @escaping @Sendable ([Item]) async throws -> [Outcome]
    ) {
        precondition(limit > 0 && concurrency > 0 && maxWaiting > 0 && maxBytes > 0)
        self.limit = limit
        self.concurrency = concurrency
        self.patience = patience
        self.maxWaiting = maxWaiting
        self.maxBytes = maxBytes
        self.size = size
        self.span = span
        self.perform = perform
    }

    /// How many items gather for the next batch.
    var waitingCount: Int { state.withLock { $0.waiting.count } }

    /// Whether an item that came now would be refused; for those who have something to do before they come with one.
    public var isFull: Bool {
        state.withLock { $0.waiting.count >= maxWaiting || $0.bytes >= maxBytes }
    }

    /// Does `item` with whatever gathers beside it. A cancelled caller still waits: its batch is already on its way.
    ///
    /// - Throws: what the batch throws, or ``BatcherFull`` at once.
    public func submit(_ item: Item) async throws -> Outcome {
        let bytes = size(item)
        let context = span == nil ? nil : ServiceContext.current
        return try await withCheckedThrowingContinuation { continuation in
            let startsLane: Bool? = state.withLock { state in
                guard state.waiting.count < maxWaiting, state.bytes == 0 || state.bytes + bytes <= maxBytes else {
                    return nil
                }
                state.waiting.append(Waiting(item: item, bytes: bytes, context: context, continuation: continuation))
                state.bytes += bytes
                guard state.running < concurrency else { return false }
                state.running += 1
                return true
            }
            guard let startsLane else { return continuation.resume(throwing: BatcherFull()) }
            // A lane lives as long as there is something to do, whoever's item started it. Detached, or all that it ever
            // does would carry the trace, the transaction and the priority of the one who happened to be first.
            if startsLane { Task.detached { await self.runLane() } } else { waitPatiently() }
        }
    }

    private func runLane() async {
        while let batch = nextBatch() {
            let began = ContinuousClock.now
            await run(batch)
            let gathered = waitingCount
            if gathered > 0 { await BatchPace.rest(since: began, gathered: gathered) }
        }
    }

    private func run(_ batch: [Waiting]) async {
        let trace = span.map { BatchTrace($0, of: batch.map(\.context)) { _ in BatchTrace.count(batch.count) } }
        defer { trace?.end() }
        do {
            let outcomes = try await (trace ?? .none).run { try await perform(batch.map(\.item)) }
            precondition(outcomes.count == batch.count, "one outcome per item")
            for (waiting, outcome) in zip(batch, outcomes) { waiting.continuation.resume(returning: outcome) }
        } catch {
            trace?.failed(error)
            for waiting in batch { waiting.continuation.resume(throwing: error) }
        }
    }

    private func nextBatch() -> [Waiting]? {
        state.withLock { state in
            guard !state.waiting.isEmpty else {
                state.running -= 1
                return nil
            }
            return take(from: &state)
        }
    }

    private func take(from state: inout State) -> [Waiting] {
        let batch = Array(state.waiting.prefix(limit))
        state.waiting.removeFirst(batch.count)
        state.bytes -= batch.reduce(0) { $0 + $1.bytes }
        return batch
    }

    /// Looks again when patience is over, for what waits still.
    private func waitPatiently() {
        guard let patience,
            state.withLock({ state in
                let isFirst = !state.isImpatient && !state.waiting.isEmpty
                if isFirst { state.isImpatient = true }
                return isFirst
            })
        else { return }
        Task.detached {
            // Nobody cancels it.
            try? await Task.sleep(for: patience)
            let batch = self.state.withLock { state in
                state.isImpatient = false
                return self.take(from: &state)
            }
            self.waitPatiently()
            if !batch.isEmpty { await self.run(batch) }
        }
    }
}
