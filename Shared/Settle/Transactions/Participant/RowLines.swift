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

    /// `waiter` found `row` held by `holder`. Who stands in line for it already keeps the place.
    mutating func join(_ waiter: Waiter, row: String, heldBy holder: XID) {
        let row = ByteKey(row)
        if places[waiter] != row {
            leave(waiter)
            lines[row, default: []].append(waiter)
            places[waiter] = row
        }
        note(row, heldBy: holder)
    }

    /// `waiter` waits no longer, or has the row now: then it is the holder that the others wait for.
    mutating func leave(_ waiter: Waiter, holding xid: XID? = nil) {
        guard let row = places.removeValue(forKey: waiter) else { return }
        lines[row]?.removeAll { $0 == waiter }
        if lines[row]?.isEmpty ?? true {
            lines[row] = nil
            if let holder = holders.removeValue(forKey: row) { forget(row, of: holder) }
        } else if let xid {
            note(row, heldBy: xid)
        }
    }

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

    private mutating func forget(_ row: ByteKey, of holder: XID) {
        rows[holder]?.remove(row)
        if rows[holder]?.isEmpty ?? false { rows[holder] = nil }
    }
}
