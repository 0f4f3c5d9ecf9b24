import SettleCore
/// Who waits for which row that an undecided transaction in mode `at` holds. Pure.
///
/// The guard of an enrolled table refuses at once and names row and holder. So whoever waits needs no connection, and is
/// called when the holder's branch ends here, the first in line first. A branch may as well be ended by another replica,
/// which calls nobody: then they look by themselves now and then, the further back in line the more rarely.
struct RowLines: Sendable {
    typealias Waiter = Int

    private var lines: [ByteKey: [Waiter]] = [:]
    private var holders: [ByteKey: XID] = [:]
    private var rows: [XID: Set<ByteKey>] = [:]
    private var places: [Waiter: ByteKey] = [:]

    /// Why somebody waits no longer.
    enum Exit {
        /// It has the row now, until its transaction ends: it is the holder that the others wait for.
        case holding(XID)
        /// It had the row, and its local transaction is over.
        case done
        /// It did not get it, or not this one.
        case gone
    }

    /// `waiter` found `row` held by `holder`. Who stands in line for it already keeps the place.
    ///
    /// - Returns: who is to try again now, because `waiter` left another line.
    mutating func join(_ waiter: Waiter, row: String, heldBy holder: XID) -> Waiter? {
        let row = ByteKey(row)
        var called: Waiter?
        if places[waiter] != row {
            called = leave(waiter, .gone)
            lines[row, default: []].append(waiter)
            places[waiter] = row
        }
        note(row, heldBy: holder)
        return called
    }

    /// `waiter` needs `rows`, and goes to the end of the line where others wait for one of them.
    ///
    /// - Returns: whether there is such a line.
    mutating func queue(_ waiter: Waiter, forAnyOf rows: [String]) -> Bool {
        guard let row = rows.lazy.map(ByteKey.init).first(where: { lines[$0] != nil }) else { return false }
        lines[row]?.append(waiter)
        places[waiter] = row
        return true
    }

    /// - Returns: who is to try again now, because nobody is known to hold the row.
    mutating func leave(_ waiter: Waiter, _ exit: Exit) -> Waiter? {
        guard let row = places.removeValue(forKey: waiter) else { return nil }
        lines[row]?.removeAll { $0 == waiter }
        if lines[row]?.isEmpty ?? true {
            lines[row] = nil
            free(row)
            return nil
        }
        switch exit {
        case .holding(let xid): note(row, heldBy: xid)
        case .done: free(row)
        case .gone: break
        }
        return holders[row] == nil ? lines[row]?.first : nil
    }

    /// Whether anybody stands in line for `row`.
    func isAwaited(_ row: String) -> Bool { lines[ByteKey(row)] != nil }

    /// How many stand before `waiter`.
    func position(of waiter: Waiter) -> Int {
        places[waiter].flatMap { lines[$0]?.firstIndex(of: waiter) } ?? 0
    }

    /// These have ended: who is to try again now.
    mutating func ended(_ xids: some Sequence<XID>) -> [Waiter] {
        guard !rows.isEmpty else { return [] }
        return xids.flatMap { xid in
            (rows.removeValue(forKey: xid) ?? []).compactMap { row in
                holders[row] = nil
                return lines[row]?.first
            }
        }
    }

    var isEmpty: Bool { lines.isEmpty && holders.isEmpty && rows.isEmpty && places.isEmpty }

    private mutating func note(_ row: ByteKey, heldBy holder: XID) {
        if let before = holders.updateValue(holder, forKey: row), before != holder { forget(row, of: before) }
        rows[holder, default: []].insert(row)
    }

    private mutating func free(_ row: ByteKey) {
        if let holder = holders.removeValue(forKey: row) { forget(row, of: holder) }
    }

    private mutating func forget(_ row: ByteKey, of holder: XID) {
        rows[holder]?.remove(row)
        if rows[holder]?.isEmpty ?? false { rows[holder] = nil }
    }
}
