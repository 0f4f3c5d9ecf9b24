import Foundation

/// What PostgreSQL logs with `log_statement = 'mod'`: the statements that change something, as they came, with their
/// parameters. So the floor is made of the very statements that the service runs, and no copy of them can grow old.
struct StatementLog {
    struct Statement: Equatable {
        /// Of the server's process that ran it.
        let process: String
        var sql: String
        /// The text of `$1`, `$2` …; nil for NULL.
        var parameters: [String?] = []

        /// What an INSERT goes into, without its schema.
        var table: String {
            let name = sql.dropFirst("INSERT INTO ".count).prefix { !" (\n".contains($0) }
            return name.replacing("\"", with: "").split(separator: ".").last.map(String.init) ?? ""
        }
    }

    let statements: [Statement]

    /// - Parameter text: of the log, with the prefix that PostgreSQL has unless told otherwise, `%m [%p] `.
    init(_ text: String) {
        var statements: [Statement] = []
        for entry in Self.entries(text) {
            if entry.text.hasPrefix("LOG:  execute "), let colon = entry.text.dropFirst(5).firstRange(of: ": ") {
                statements.append(
                    Statement(process: entry.process, sql: String(entry.text[colon.upperBound...])))
            } else if entry.text.lowercased().hasPrefix("detail:  parameters: "),
                let index = statements.lastIndex(where: { $0.process == entry.process })
            {
                statements[index].parameters = Self.parameters(entry.text.dropFirst("DETAIL:  parameters: ".count))
            }
        }
        self.statements = statements
    }

    /// The inserts of the transaction that wrote what `id` names: by the process that ran the first of them, each
    /// statement once.
    func inserts(of id: String) -> [Statement] {
        let all = statements.filter { statement in
            statement.sql.hasPrefix("INSERT INTO") && statement.parameters.contains { $0?.contains(id) == true }
        }
        return all.filter { $0.process == all.first?.process }
            .reduce(into: []) { kept, next in if !kept.contains(where: { $0.sql == next.sql }) { kept.append(next) } }
    }

    /// Each entry with the lines that belong to it, which begin with a tab.
    private static func entries(_ text: String) -> [(process: String, text: String)] {
        var entries: [(process: String, text: String)] = []
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("\t") {
                if !entries.isEmpty { entries[entries.count - 1].text += "\n" + line.dropFirst() }
            } else if let match = line.firstMatch(of: #/^\S+ \S+ \S+ \[(\d+)\] (.*)$/#) {
                entries.append((String(match.1), String(match.2)))
            }
        }
        return entries
    }

    /// `$1 = 'it''s', $2 = NULL`
    private static func parameters(_ text: Substring) -> [String?] {
        var values: [String?] = []
        var rest = text
        while let equals = rest.firstRange(of: " = ") {
            rest = rest[equals.upperBound...]
            guard rest.first == "'" else {
                values.append(nil)
                continue
            }
            var value = ""
            rest = rest.dropFirst()
            while let quote = rest.firstIndex(of: "'") {
                value += rest[..<quote]
                rest = rest[rest.index(after: quote)...]
                guard rest.first == "'" else { break }
                value += "'"
                rest = rest.dropFirst()
            }
            values.append(value)
        }
        return values
    }
}
