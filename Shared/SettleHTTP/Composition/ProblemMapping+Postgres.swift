public import SettleServiceKit
import Settle
import SettlePostgres

extension ProblemMapping {
    /// A database that is away, busy or in the middle of a failover is worth another try; all else is our fault.
    public static let postgres = ProblemMapping { error in
        guard let error = error as? PostgresError,
            error.isUnavailable || error.isSerializationConflict || error.isRowHeld
        else { return nil }
        return error.kind == .commitUnknown
            ? .unavailable("the database was lost at the commit: it may be done or not; ask again with the same key")
            : .unavailable("the database is away or busy")
    }
}
