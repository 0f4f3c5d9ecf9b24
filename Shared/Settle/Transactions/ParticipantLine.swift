/// Decisions in line to be told to one participant: while one batch is on its way, the next gathers. Pure.
struct ParticipantLine<Entry: Sendable>: Sendable {
    private var waiting: [Entry] = []
    private var isBusy = false
    private let capacity: Int

    /// - Parameter capacity: how many wait at most; what finds no room is left to the scan of the table.
    init(capacity: Int) {
        self.capacity = capacity
    }

    var isIdle: Bool { !isBusy }

    /// Puts `entries` in line; answers whether somebody must now start to empty it.
    mutating func add(_ entries: some Collection<Entry>) -> Bool {
        waiting.append(contentsOf: entries.prefix(capacity - waiting.count))
        defer { isBusy = true }
        return !isBusy
    }

    /// What could not be told goes to the end of the line: it holds up nothing that can.
    mutating func putBack(_ entries: [Entry]) {
        waiting.append(contentsOf: entries.prefix(capacity - waiting.count))
    }

    /// The next batch; nil when there is none, and then whoever empties the line is done.
    mutating func next(atMost limit: Int) -> [Entry]? {
        guard !waiting.isEmpty else {
            isBusy = false
            return nil
        }
        let batch = Array(waiting.prefix(limit))
        waiting.removeFirst(batch.count)
        return batch
    }
}
