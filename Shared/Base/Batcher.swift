import Synchronization

/// Natural batching: while one batch is on its way, the next gathers.
///
/// An idle system pays nothing for it (a lone item leaves at once), a busy one does its work in few large steps. There
/// is no timer.
public final class Batcher<Item: Sendable, Outcome: Sendable>: Sendable {
    private struct Waiting {
        let item: Item
        let continuation: CheckedContinuation<Outcome, any Error>
    }

    private struct State {
        var waiting: [Waiting] = []
        var running = 0
    }

    private let limit: Int
    private let lanes: Int
    private let state = Mutex(State())
    private let perform: @Sendable ([Item]) async throws -> [Outcome]

    /// - Parameters:
    ///   - limit: how many items a batch holds at most.
    ///   - lanes: how many batches may be on their way at once.
    ///   - perform: does a batch; returns one outcome per item, in order. What it throws, every item of it throws.
    public init(
        limit: Int, lanes: Int = 1, perform: @escaping @Sendable ([Item]) async throws -> [Outcome]
    ) {
        precondition(limit > 0 && lanes > 0)
        self.limit = limit
        self.lanes = lanes
        self.perform = perform
    }

    /// How many items gather for the next batch.
    var waitingCount: Int { state.withLock { $0.waiting.count } }

    /// Does `item` with whatever gathers beside it. A cancelled caller still waits: its batch is already on its way.
    public func submit(_ item: Item) async throws -> Outcome {
        try await withCheckedThrowingContinuation { continuation in
            let startsLane = state.withLock { state in
                state.waiting.append(Waiting(item: item, continuation: continuation))
                guard state.running < lanes else { return false }
                state.running += 1
                return true
            }
            // A lane lives as long as there is something to do, whoever's item started it.
            if startsLane { Task { await runLane() } }
        }
    }

    private func runLane() async {
        while let batch = nextBatch() {
            do {
                let outcomes = try await perform(batch.map(\.item))
                precondition(outcomes.count == batch.count, "one outcome per item")
                for (waiting, outcome) in zip(batch, outcomes) { waiting.continuation.resume(returning: outcome) }
            } catch {
                for waiting in batch { waiting.continuation.resume(throwing: error) }
            }
        }
    }

    private func nextBatch() -> [Waiting]? {
        state.withLock { state in
            guard !state.waiting.isEmpty else {
                state.running -= 1
                return nil
            }
            let batch = Array(state.waiting.prefix(limit))
            state.waiting.removeFirst(batch.count)
            return batch
        }
    }
}
