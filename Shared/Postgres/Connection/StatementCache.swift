/// Which SQL texts one connection has prepared, and under which name.
///
/// A text counts as prepared only when the server has said so: in an aborted pipeline its Parse was skipped.
/// Names are never used twice, so a name whose fate is unknown can do no harm.
struct StatementCache {
    /// What to do for one statement.
    enum Use: Equatable {
        /// Execute this name.
        case prepared(String)
        /// Parse it under this name first.
        case parse(String)
        /// Parse, execute and forget: the cache is full of texts used just now.
        case oneShot
    }

    private struct Entry {
        let name: String
        var lastUse: Int
        var isConfirmed: Bool
    }

    /// How many are kept after `evict`; up to twice as many in between.
    let capacity: Int
    private var entries: [String: Entry] = [:]
    private var unconfirmed: [String] = []
    private var uses = 0
    private var names = 0

    init(capacity: Int = 256) {
        self.capacity = capacity
    }

    var count: Int { entries.count }

    mutating func use(_ sql: String) -> Use {
        uses += 1
        if let index = entries.index(forKey: sql) {
            entries.values[index].lastUse = uses
            return .prepared(entries.values[index].name)
        }
        guard entries.count < 2 * capacity else { return .oneShot }
        names += 1
        let name = "s\(names)"
        entries[sql] = Entry(name: name, lastUse: uses, isConfirmed: false)
        unconfirmed.append(sql)
        return .parse(name)
    }

    /// The server has prepared it.
    mutating func confirm(_ sql: String) {
        entries[sql]?.isConfirmed = true
    }

    /// The pipeline is over: what was not confirmed is not prepared.
    mutating func forgetUnconfirmed() {
        for sql in unconfirmed where entries[sql]?.isConfirmed == false { entries[sql] = nil }
        unconfirmed.removeAll(keepingCapacity: true)
    }

    /// The server no longer knows the names, or their plans are out of date.
    mutating func forgetAll() {
        entries.removeAll(keepingCapacity: true)
        unconfirmed.removeAll(keepingCapacity: true)
    }

    /// Takes the least recently used out when there are more than `capacity`; answers their names.
    mutating func evict() -> [String] {
        guard entries.count > capacity else { return [] }
        let oldest = entries.sorted { $0.value.lastUse < $1.value.lastUse }.prefix(entries.count - capacity * 3 / 4)
        for (sql, _) in oldest { entries[sql] = nil }
        return oldest.map(\.value.name)
    }
}
