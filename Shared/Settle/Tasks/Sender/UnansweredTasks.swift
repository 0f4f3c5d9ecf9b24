/// The tasks this process has sent and not yet seen answered, until their lease ends. Pure.
///
/// It is only a memory of what to save the table from: a lost entry costs one more message, never a task.
struct UnansweredTasks: Sendable {
    private struct Entry {
        var lease: TaskLease
        var leaseEnd: ContinuousClock.Instant
        var isConfirmed: Bool
    }

    private var entries: [Int64: Entry] = [:]

    var count: Int { entries.count }

    /// Before publishing: an answer may overtake the broker's confirm.
    mutating func sending(_ tasks: some Sequence<(lease: TaskLease, leaseEnd: ContinuousClock.Instant)>) {
        for task in tasks {
            entries[task.lease.id] = Entry(lease: task.lease, leaseEnd: task.leaseEnd, isConfirmed: false)
        }
    }

    /// The broker has the message, durably.
    mutating func confirmed(_ id: Int64) {
        entries[id]?.isConfirmed = true
    }

    /// Answered, or refused by the broker: not ours to watch any more.
    mutating func forget(_ ids: some Sequence<Int64>) {
        for id in ids { entries[id] = nil }
    }

    /// Takes out the tasks that the broker has and whose lease ends before `deadline`, and returns them.
    ///
    /// The others need nothing, for they are due when their lease ends; they are watched until then, should the broker
    /// confirm late.
    mutating func takeEnding(
        before deadline: ContinuousClock.Instant, now: ContinuousClock.Instant
    ) -> [TaskLease] {
        var held: [TaskLease] = []
        var ended: [Int64] = []
        for (id, entry) in entries where entry.leaseEnd <= deadline {
            if entry.isConfirmed { held.append(entry.lease) }
            if entry.isConfirmed || entry.leaseEnd <= now { ended.append(id) }
        }
        for id in ended { entries[id] = nil }
        return held.sorted { $0.id < $1.id }
    }
}
