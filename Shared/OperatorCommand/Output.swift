import SettleServiceKit

extension ServiceOptions {
    /// Prints a list: what is in the member of that name, and what there is beside it.
    func show(_ answer: JSONValue, _ member: String, _ columns: [Table.Column]) throws {
        if json { return print(try answer.text) }
        let rows = answer[member]?.elements ?? []
        print(rows.isEmpty ? "none" : Table(columns: columns).text(rows))
        if let counts = answer["counts"] { print("\n" + counts.members) }
    }

    /// Prints one thing, a line for each member.
    func show(_ answer: JSONValue) throws {
        if json { return print(try answer.text) }
        guard case .object(let members) = answer, !members.isEmpty else { return print("done") }
        let width = members.keys.map(\.count).max() ?? 0
        for (name, value) in members.sorted(by: { $0.key < $1.key }) where value != .null {
            print("\(name.padded(width))  \(Table.printable(value.plain))")
        }
    }
}

extension JSONValue {
    /// On one line: `pending 3, parked 0`.
    fileprivate var members: String {
        guard case .object(let members) = self else { return plain }
        return members.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value.plain)" }.joined(separator: ", ")
    }
}

extension String {
    fileprivate func padded(_ width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
