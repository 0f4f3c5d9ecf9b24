/// Decisions in line to be told to one participant: while a batch is on its way, the next gathers. Pure.
///
/// One goes from batch to batch. But a batch may have to wait for a row that a transaction further back in line holds: so
/// somebody stands by, who takes the next beside one that stays on its way for long.
struct ParticipantLine<Entry: Sendable>: Sendable {
    /// Who has to begin.
    enum Start: Equatable {
        /// With `next(atMost:)`, until there is none.
        case lane
        /// With `beside(_:atMost:)`, until it is done.
        case standby
    }

    /// What who stands by has to do.
    enum Beside {
        case batch([Entry])
        /// Nothing for a while; then it says how many batches had been taken by now.
        case wait(Int)
        case done
    }

    private var waiting: [Entry] = []
    private var hasLane = false
    private var hasStandby = false
    private var taken = 0
    private let capacity: Int

    /// - Parameter capacity: how many entries wait at most; what finds no room is left to the scan of the table.
    init(capacity: Int) {
        self.capacity = capacity
    }

    /// How many entries wait.
    var count: Int { waiting.count }

    var isIdle: Bool { !hasLane && !hasStandby }

    /// Puts `entries` in line; answers who must begin now, if anybody.
    mutating func add(_ entries: some Collection<Entry>) -> Start? {
        waiting.append(contentsOf: entries.prefix(capacity - waiting.count))
        guard hasLane else {
            hasLane = true
            return .lane
        }
        guard hasStandby else {
            hasStandby = true
            return .standby
        }
        return nil
    }

    /// What could not be told goes to the end of the line: it holds up nothing that can.
    mutating func putBack(_ entries: [Entry]) {
        waiting.append(contentsOf: entries.prefix(capacity - waiting.count))
    }

    /// The next batch; nil when there is none, and then whoever asked is done.
    mutating func next(atMost limit: Int) -> [Entry]? {
        guard !waiting.isEmpty else {
            hasLane = false
            return nil
        }
        return take(limit)
    }

    /// A batch beside the one on its way, if none was taken since there had been `seen`, or if nobody else is there to take it.
    mutating func beside(_ seen: Int?, atMost limit: Int) -> Beside {
        if !waiting.isEmpty, !hasLane || seen == taken { return .batch(take(limit)) }
        if hasLane { return .wait(taken) }
        hasStandby = false
        return .done
    }

    private mutating func take(_ limit: Int) -> [Entry] {
        taken += 1
        let batch = Array(waiting.prefix(limit))
        waiting.removeFirst(batch.count)
        return batch
    }
}
