/// Migrations that cannot be applied, now or later, until somebody mends them.
public enum PostgresMigrationError: Error, Sendable {
    /// A migration that was applied has another text now.
    case changed(set: String, name: String)
    /// Two migrations of one set have the same name.
    case duplicate(set: String, name: String)
    /// The server refused it.
    case failed(set: String, name: String, PostgresError)
}

extension PostgresMigrationError: CustomStringConvertible {
    /// One line for the operator's log.
    public var description: String {
        switch self {
        case .changed(let set, let name):
            "migration \(name) of set \(set) was changed after it had been applied: add a new one instead"
        case .duplicate(let set, let name): "two migrations of set \(set) are called \(name)"
        case .failed(let set, let name, let error): "migration \(name) of set \(set) failed: \(error)"
        }
    }
}
