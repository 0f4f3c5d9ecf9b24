public import ServiceContextModule

/// What a request says about the global transaction that it belongs to.
public struct BranchContext: Sendable, Equatable {
    /// The header with the transaction's XID.
    public static let xidHeader = "Settle-XID"
    /// The header with the mode of the branch.
    public static let modeHeader = "Settle-Mode"
    /// The header with the base URL of who decides.
    public static let initiatorHeader = "Settle-Initiator"

    /// How many bytes the initiator's base URL may have: it becomes part of a prepared transaction's name, which has
    /// room for 199.
    public static let maxInitiatorLength = 90

    /// The transaction.
    public let xid: XID
    /// How the participant is to do its part.
    public let mode: BranchMode
    /// Base URL of the service that decides, and that is asked when it says nothing.
    public let initiator: String

    /// The three together.
    public init(xid: XID, mode: BranchMode, initiator: String) {
        self.xid = xid
        self.mode = mode
        self.initiator = initiator
    }

    /// Nil when a header is missing or makes no sense.
    public init?(header: (String) -> String?) {
        guard let xid = header(Self.xidHeader).flatMap(XID.init(rawValue:)),
            let mode = header(Self.modeHeader).flatMap(BranchMode.init(rawValue:)),
            let initiator = header(Self.initiatorHeader), (1...Self.maxInitiatorLength).contains(initiator.utf8.count)
        else { return nil }
        self.init(xid: xid, mode: mode, initiator: initiator)
    }
}

extension ServiceContext {
    private enum BranchKey: ServiceContextKey {
        typealias Value = BranchContext
    }

    private enum TransactionKey: ServiceContextKey {
        typealias Value = GlobalTransaction
    }

    /// At a participant: the branch that the request in hand is for. Set by the server's middleware.
    public var branch: BranchContext? {
        get { self[BranchKey.self] }
        set { self[BranchKey.self] = newValue }
    }

    /// At the initiator: the global transaction of the current task. Set by `TransactionInitiator.run`.
    public var globalTransaction: GlobalTransaction? {
        get { self[TransactionKey.self] }
        set { self[TransactionKey.self] = newValue }
    }
}
