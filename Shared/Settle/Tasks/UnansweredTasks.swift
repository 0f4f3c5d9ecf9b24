/// The tasks this process has sent and not yet seen answered, until their lease ends. Pure.
///
/// It is only a memory of what to save the table from: a lost entry costs one more message, never a task.
struct UnansweredTasks: Sendable {
    private struct Entry {
        var leaseEnd: ContinuousClock.Instant
        var isConfirmed: Bool
    }

    private var entries: [Int64: Entry] = [:]

    var count: Int { entries.count }

    /// Before publishing: an answer may overtake the broker's confirm.
    mutating func sending(_ ids: some Sequence<Int64>, leaseEnd: ContinuousClock.Instant) {
        for id in ids { entries[id] = Entry(leaseEnd: leaseEnd, isConfirmed: false) }
    }

    /// The broker has the message, durably.
    mutating func confirmed(_ id: Int64) {
        entries[id]?.isConfirmed = true
    }

    /// Answered, or refused by the broker: not ours to watch any more.
    mutating func forget(_ ids: some Sequence<Int64>) {
        for id in ids { entries[id] = nil }
    }

    /// Takes out what has a lease that ends before `deadline`; returns the tasks that the broker has.
    ///
    /// The others need nothing: they are due when their lease ends.
    mutating func takeEnding(before deadline: ContinuousClock.Instant) -> [Int64] {
        var held: [Int64] = []
        var ended: [Int64] = []
        for (id, entry) in entries where entry.leaseEnd <= deadline {
            ended.append(id)
            if entry.isConfirmed { held.append(id) }
        }
        for id in ended { entries[id] = nil }
        return held.sorted()
    }
}
