import ServiceContextModule
import Synchronization

/// A commit that this process decided, on its way to the participants.
final class FreshDecision: Sendable {
    let xid: XID
    let participants: [String]
    /// From then on any replica may tell them.
    let leaseEnd: ContinuousClock.Instant
    /// Whether others may wait for rows of it.
    let holdsRows: Bool
    /// Of who began the transaction.
    let context: ServiceContext?
    private let missing: Mutex<Int>

    init(_ transaction: GlobalTransaction, leaseEnd: ContinuousClock.Instant) {
        xid = transaction.xid
        context = transaction.context
        participants = transaction.participants
        holdsRows = transaction.caller.holdsRows
        self.leaseEnd = leaseEnd
        missing = Mutex(participants.count)
    }

    /// One more participant has confirmed; answers whether it was the last one.
    func confirmed() -> Bool {
        missing.withLock { missing in
            missing -= 1
            return missing == 0
        }
    }
}
