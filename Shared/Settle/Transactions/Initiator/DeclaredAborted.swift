public import SettlePostgres

/// The initiator's local transaction came too late: a participant had been told "abort" before, and nothing was written.
public struct DeclaredAborted: Error, Sendable {
    /// From the error of the local transaction that called `TransactionInitiator.decide`; nil when it failed otherwise.
    public init?(_ error: PostgresError) {
        guard error.sqlState == "23505", error.constraint == "global_transaction_pkey" else { return nil }
    }
}
