import Synchronization

/// So many may do something at once; the others wait for their turn, in order, for a limited time.
public final class Slots: Sendable {
    private struct State {
        var free: Int
        var waiting: [Wakeup] = []
    }

    private let state: Mutex<State>

    /// `count` at once.
    public init(_ count: Int) {
        state = Mutex(State(free: count))
    }

    /// Does `body` when it is its turn, or when `limit` is over or the task cancelled; says which.
    public func use<Result>(
        within limit: Duration, _ body: (_ hasSlot: Bool) async throws -> Result
    ) async rethrows -> Result {
        let hasSlot = await take(within: limit)
        defer { if hasSlot { giveBack() } }
        return try await body(hasSlot)
    }

    /// False when the time was over, or the task was cancelled; otherwise `giveBack` is owed.
    func take(within limit: Duration) async -> Bool {
        let mine = Wakeup()
        let isFree = state.withLock { state in
            guard state.free > 0 else {
                state.waiting.append(mine)
                return false
            }
            state.free -= 1
            return true
        }
        if isFree { return true }
        if await mine.wait(atMost: limit) { return true }
        // It may have been called just as the time was over.
        return state.withLock { state in
            guard let index = state.waiting.firstIndex(where: { $0 === mine }) else { return true }
            state.waiting.remove(at: index)
            return false
        }
    }

    func giveBack() {
        let next = state.withLock { state -> Wakeup? in
            guard state.waiting.isEmpty else { return state.waiting.removeFirst() }
            state.free += 1
            return nil
        }
        next?.call()
    }
}
