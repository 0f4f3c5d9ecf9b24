/// What `/proc/PID/stat` says of one process; see proc(5).
struct ProcessStat: Equatable {
    let parent: Int
    /// Of all its threads, in clock ticks.
    let own: Int
    /// Of its children that have ended, and theirs.
    let ended: Int

    /// Nil for a text that is none.
    init?(_ text: String) {
        // The name, in parentheses, may hold spaces and parentheses itself.
        guard let name = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: name)...].split(separator: " ").map(String.init)
        guard fields.count > 14, let parent = Int(fields[1]) else { return nil }
        let times = fields[11...14].compactMap { Int($0) }
        guard times.count == 4 else { return nil }
        self.parent = parent
        (own, ended) = (times[0] + times[1], times[2] + times[3])
    }
}

extension [Int: ProcessStat] {
    /// The time of a process with all that it started, in ticks: it never falls, since what a child used is its parent's
    /// once it has ended.
    func ticks(of root: Int) -> Int {
        guard let stat = self[root] else { return 0 }
        return filter { $0.value.parent == root }.keys.reduce(stat.own + stat.ended) { $0 + ticks(of: $1) }
    }
}
