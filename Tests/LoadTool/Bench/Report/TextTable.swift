/// Rows in columns, the first one to the left and the others to the right, as wide as they must be.
struct TextTable {
    /// A name above some columns.
    typealias Group = (name: String, columns: [String])

    private let groups: [Group]
    private var rows: [[String]]

    init(_ groups: [Group]) {
        self.groups = groups
        rows = [groups.flatMap(\.columns)]
    }

    /// - Parameter row: a cell for each column; what is missing stays empty.
    mutating func add(_ row: [String]) { rows.append(row) }

    var text: String {
        var widths = rows[0].indices.map { column in rows.map { $0.count > column ? $0[column].count : 0 }.max() ?? 0 }
        var head = ""
        var first = 0
        for group in groups {
            let last = first + group.columns.count - 1
            let width = widths[first...last].reduce(0, +) + 2 * (last - first)
            // A group whose name is longer than its columns widens the last of them.
            widths[last] += max(0, group.name.count - width)
            let space = max(0, width - group.name.count)
            // As many dashes as show how far it goes.
            head += (first > 0 ? "  " : "") + group.name
            if space > 1 { head += " " + String(repeating: group.name.isEmpty ? " " : "-", count: space - 1) }
            if space == 1 { head += " " }
            first = last + 1
        }
        let lines = rows.map { row in
            row.enumerated().map { column, cell in
                let space = String(repeating: " ", count: max(0, widths[column] - cell.count))
                return column == 0 ? cell + space : space + cell
            }.joined(separator: "  ")
        }
        return ([head] + lines).map { line in
            var line = line
            while line.last == " " { line.removeLast() }
            return line + "\n"
        }.joined()
    }
}

extension Double {
    /// Three digits that count, or more before the point.
    var short: String {
        let places = abs(self) >= 100 ? 0 : abs(self) >= 10 ? 1 : 2
        var scale = 1.0
        for _ in 0..<places { scale *= 10 }
        let number = Int((self * scale).rounded())
        guard places > 0 else { return "\(number)" }
        let (whole, rest) = abs(number).quotientAndRemainder(dividingBy: Int(scale))
        let digits = "\(rest)"
        return "\(number < 0 ? "-" : "")\(whole).\(String(repeating: "0", count: places - digits.count))\(digits)"
    }
}
