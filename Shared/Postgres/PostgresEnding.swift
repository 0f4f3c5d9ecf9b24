/// How a transaction ends when its closure returns.
public enum PostgresEnding: Sendable, Equatable {
    /// COMMIT.
    case commit
    /// PREPARE TRANSACTION under this name, the first phase of a two-phase commit. Needs the server's
    /// `max_prepared_transactions`; the name has at most 200 bytes.
    case prepare(gid: String)
}
