import SettlePostgres

/// What a failure of a batch says about what is in it.
package enum Blame: Equatable {
    /// Nothing: a server is away, and the whole batch is tried again.
    case nobody
    /// Another transaction is in the way that will be gone.
    case heldRow
    /// The values of a message: trying again cannot help.
    case content(reason: String)
    /// Perhaps a message, perhaps not: a trigger that raises, a value that cannot be decoded, a receiver's own error.
    case unknown(reason: String)

    package init(_ error: any Error) {
        switch error {
        case let error as PostgresError: self.init(error)
        case is StillUndecided: self = .heldRow
        case let error as UnreadableMessage: self = .content(reason: "unreadable: \(error)")
        case is Failpoints.Injected, is CancellationError, is HookDidNothing: self = .nobody
        default: self = .unknown(reason: "failed: \(type(of: error))")
        }
    }

    private init(_ error: PostgresError) {
        if error.isRowHeld || error.isSerializationConflict {
            self = .heldRow
        } else if error.isUnavailable {
            self = .nobody
        } else if error.blamesContent {
            self = .content(reason: "refused by the database: \(error.sqlState ?? "invalid parameter")")
        } else {
            self = .unknown(reason: "failed in the database: \(error.sqlState ?? "\(error.kind)")")
        }
    }
}

extension PostgresError {
    /// Whether the values are at fault (SQLSTATE classes 22, data exception, and 23, integrity constraint violation),
    /// so that trying again cannot help.
    fileprivate var blamesContent: Bool {
        switch kind {
        case .invalidParameter: true
        case .server: sqlState.map { $0.hasPrefix("22") || $0.hasPrefix("23") } ?? false
        default: false
        }
    }
}
