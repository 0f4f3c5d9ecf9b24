/// What became of statements that were sent together up to one sync.
struct Exchange {
    /// The first error and the statement it belongs to; `statements.count` when it came at the sync, where an
    /// implicit transaction commits.
    struct Failure {
        let index: Int
        let error: PostgresError
        /// FATAL or PANIC: the server ended the connection at this very statement, so it saw nothing after it.
        let isFatal: Bool
        /// The prepared plan was out of date or gone: the same SQL, parsed anew, will do.
        var isStalePlan: Bool
    }

    /// By statement; `nil` for those that failed or were skipped.
    var results: [ResultHandle?]
    var failure: Failure?
    /// Why the connection is gone, when it is.
    var loss: String?
    /// Whether any byte may have reached the server.
    var wasSent = false

    /// Whether the server surely made nothing of it last.
    ///
    /// - Parameter commitPoint: the statement at which the server makes it last, `statements.count` for the sync,
    ///   `nil` when none of them does.
    func isSurelyUndone(commitPoint: Int?) -> Bool {
        guard loss != nil else { return failure != nil }
        guard wasSent, let commitPoint else { return true }
        guard let failure else { return false }
        // Replies come in order: a fatal error at a statement before the commit means the commit was never read.
        return !failure.isFatal || failure.index < commitPoint
    }

    /// Whether sending the same once more can neither do anything twice nor fail for the same reason.
    func mayBeRepeated(commitPoint: Int?) -> Bool {
        guard isSurelyUndone(commitPoint: commitPoint) else { return false }
        return failure.map { $0.isStalePlan || $0.isFatal } ?? true
    }

    /// What to tell the caller, or `nil` when all went well.
    func error(commitPoint: Int?) -> PostgresError? {
        guard let loss else {
            return failure.map { failure in
                var error = failure.error
                error.isStalePlan = failure.isStalePlan
                return error
            }
        }
        if let failure, !failure.isFatal { return failure.error }
        // The reply to COMMIT itself was read, and the connection broke only then.
        if let commitPoint, results.indices.contains(commitPoint), results[commitPoint] != nil { return nil }
        let kind: PostgresError.Kind = isSurelyUndone(commitPoint: commitPoint) ? .connectionLost : .commitUnknown
        return failure?.error.asKind(kind) ?? PostgresError(kind, loss)
    }
}
