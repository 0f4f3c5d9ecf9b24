import SettleCore
import Metrics
import Synchronization

/// Spans that wait to be exported. Whoever offers one never waits: what finds no room is counted, and gone.
final class SpanQueue: Sendable {
    private struct State {
        var spans: [FinishedSpan] = []
        var isClosed = false
    }

    private let capacity: Int
    private let batch: Int
    private let state = Mutex(State())
    /// There is something in an empty queue, or it was closed.
    let some = Mailbox<Void>(capacity: 1)
    /// There is a whole batch.
    let enough = Wakeup()
    private let dropped = Counter(label: "trace_spans_dropped_total", dimensions: [("reason", "queue")])

    /// - Parameters:
    ///   - capacity: how many may wait.
    ///   - batch: how many go together.
    init(capacity: Int, batch: Int) {
        (self.capacity, self.batch) = (capacity, batch)
    }

    var count: Int { state.withLock { $0.spans.count } }

    func offer(_ span: FinishedSpan) {
        let count: Int? = state.withLock { state in
            guard state.spans.count < capacity, !state.isClosed else { return nil }
            state.spans.append(span)
            return state.spans.count
        }
        switch count {
        case nil: dropped.increment()
        case 1: some.offer(())
        case batch: enough.call()
        default: break
        }
    }

    /// The first ones, at most a batch.
    func take() -> [FinishedSpan] {
        state.withLock { state in
            let first = Array(state.spans.prefix(batch))
            state.spans.removeFirst(first.count)
            return first
        }
    }

    /// Spans that were taken and not sent, to be the first ones again; there is room for them.
    func putBack(_ spans: [FinishedSpan]) { state.withLock { $0.spans.insert(contentsOf: spans, at: 0) } }

    /// Takes nothing more in, and says how many are given up.
    func close() -> Int {
        state.withLock { state in
            state.isClosed = true
            defer { state.spans = [] }
            return state.spans.count
        }
    }
}
