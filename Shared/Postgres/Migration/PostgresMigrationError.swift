/// Migrations that cannot be applied.
public enum PostgresMigrationError: Error, Sendable {
    /// A migration that was applied has another text now.
    case changed(set: String, name: String)
    /// Two migrations of one set have the same name.
    case duplicate(set: String, name: String)
    /// These are not there, and were only looked for: see `PostgresMigrator.verify`.
    case missing(set: String, names: [String])
    /// The server refused it.
    case failed(set: String, name: String, PostgresError)
    /// Something that will end holds what it needs: a transaction, prepared perhaps, or undecided global transactions.
    case blocked(set: String, name: String, PostgresError)

    /// Whether somebody must mend it; else it may be applied later.
    public var isPermanent: Bool {
        switch self {
        case .blocked, .missing: false
        case .changed, .duplicate, .failed: true
        }
    }
}

extension PostgresMigrationError: CustomStringConvertible {
    /// One line for the operator's log.
    public var description: String {
        switch self {
        case .changed(let set, let name):
            "migration \(name) of set \(set) was changed after it had been applied: add a new one instead"
        case .duplicate(let set, let name): "two migrations of set \(set) are called \(name)"
        case .missing(let set, let names):
            "these migrations of set \(set) are not applied: \(names.joined(separator: ", "))"
        case .failed(let set, let name, let error): "migration \(name) of set \(set) failed: \(error)"
        case .blocked(let set, let name, let error):
            "migration \(name) of set \(set) waits for what holds its rows or tables: \(error)"
        }
    }
}
