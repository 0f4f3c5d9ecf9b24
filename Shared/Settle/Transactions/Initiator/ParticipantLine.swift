/// Decisions in line to be told to one participant: while batches are on their way, the next gathers. Pure.
///
/// There is more than one lane, for a batch may have to wait for a row that a transaction in the next batch holds.
struct ParticipantLine<Entry: Sendable>: Sendable {
    private var waiting: [Entry] = []
    private var running = 0
    private let concurrency: Int
    private let capacity: Int

    /// - Parameters:
    ///   - concurrency: how many batches may be on their way at once.
    ///   - capacity: how many entries wait at most; what finds no room is left to the scan of the table.
    init(concurrency: Int, capacity: Int) {
        self.concurrency = concurrency
        self.capacity = capacity
    }

    var isIdle: Bool { running == 0 }

    /// Puts `entries` in line; answers whether one more must start to empty it.
    mutating func add(_ entries: some Collection<Entry>) -> Bool {
        waiting.append(contentsOf: entries.prefix(capacity - waiting.count))
        guard running < concurrency else { return false }
        running += 1
        return true
    }

    /// What could not be told goes to the end of the line: it holds up nothing that can.
    mutating func putBack(_ entries: [Entry]) {
        waiting.append(contentsOf: entries.prefix(capacity - waiting.count))
    }

    /// The next batch; nil when there is none, and then whoever asked is done.
    mutating func next(atMost limit: Int) -> [Entry]? {
        guard !waiting.isEmpty else {
            running -= 1
            return nil
        }
        let batch = Array(waiting.prefix(limit))
        waiting.removeFirst(batch.count)
        return batch
    }
}
