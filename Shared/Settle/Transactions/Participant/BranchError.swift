import SettlePostgres

/// Why a participant would not do its part.
public enum BranchError: Error, Sendable, Equatable {
    /// A row that it needs was held by another global transaction until the lock timeout.
    case locked
    /// It came together with others, and cannot be done beside them: another transaction holds a row that it needs, or it
    /// takes a look of its own to refuse it. Nothing was done; sent alone it waits, and gets its answer.
    case comeAlone
    /// It came together with others, and was done; but it calls other participants in turn, and nobody's answer shall wait for
    /// those. Sent alone it is found, and goes on.
    case goesOnAlone
    /// The request came after its transaction had ended here.
    case transactionIsOver
    /// Another request came for the same branch before: each call is a branch of its own.
    case otherRequest
    /// The transaction has as many branches here as it may have.
    case tooManyBranches
    /// In mode `xa` all names together are more than a prepared transaction's has room for.
    case nameTooLong
    /// The same request is prepared already and waits for its decision; its answer is not visible yet.
    case prepared
    /// In mode `at` it would change more rows than one branch may.
    case tooManyRows(limit: Int)
    /// The participant has no such action in this mode.
    case unsupportedMode(BranchMode)
    /// A table has changed so that mode `at` could not undo what is done to it; the log names it.
    case atImpossible
    /// In mode `mt` the resource could not be asked, or did not answer in time: what it may have done is undone.
    case resourceAway
    /// The database has `max_prepared_transactions = 0`.
    case xaImpossible
}

extension BranchError {
    /// What the gate of a transaction's branches has said; nil for any other error.
    init?(gate error: any Error) {
        switch (error as? PostgresError)?.sqlState {
        case "ST011": self = .transactionIsOver
        case "ST012": self = .tooManyBranches
        default: return nil
        }
    }
}

/// A part is done, but what belongs to it failed elsewhere: the global transaction can only be rolled back.
public struct BranchFailed: Error, CustomStringConvertible {
    /// What failed; for the caller.
    public let error: any Error
    /// Who was called in turn, and has done something, or may have.
    public let enlisted: [String]
    /// For an operator.
    public var description: String { "what a branch calls further failed: \(error)" }

    /// - Parameters:
    ///   - error: what failed; for the caller.
    ///   - enlisted: who was called in turn, and has done something, or may have.
    public init(_ error: any Error, enlisted: [String] = []) {
        self.error = error
        self.enlisted = enlisted
    }
}
