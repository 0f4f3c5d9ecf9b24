public import ServiceContextModule

/// What a request says about the global transaction that it belongs to.
public struct BranchContext: Sendable, Equatable {
    /// The header with the transaction's XID.
    public static let xidHeader = "Settle-XID"
    /// The header with the branch's name within the transaction; a request without it is for branch 1.
    public static let branchHeader = "Settle-Branch"
    /// The header with the mode of the branch.
    public static let modeHeader = "Settle-Mode"
    /// The header with what is left of the transaction's time, in milliseconds: so no two clocks need agree.
    public static let deadlineHeader = "Settle-Deadline"
    /// The header with how long the caller waits for the answer, in milliseconds.
    public static let waitHeader = "Settle-Wait"
    /// The header of a request that was sent before, and answered: it is looked for before it is tried.
    public static let againHeader = "Settle-Again"
    /// The header of an answer with the names of those whom the participant has called in turn, with commas in between.
    public static let enlistedHeader = "Settle-Enlisted"
    /// The header of an answer that is none of 2xx although the part is done: the transaction can only be rolled back.
    public static let rollbackHeader = "Settle-Must-Roll-Back"
    /// The header with the base URL, or the name, of who decides.
    public static let initiatorHeader = "Settle-Initiator"
    /// The header with the name of who decides. Where it is sent it counts, and not the one above: a name stays when an
    /// address changes.
    public static let initiatorNameHeader = "Settle-Initiator-Name"

    /// How many bytes the initiator's name or base URL may have: it becomes part of a prepared transaction's name, which has
    /// room for 199.
    public static let maxInitiatorLength = 90

    /// The transaction.
    public let xid: XID
    /// Which of its branches.
    public let branch: BranchID
    /// How the participant is to do its part.
    public let mode: BranchMode
    /// Who decides, and is asked when it says nothing: a name that configuration resolves. As it comes from a header it
    /// may be a base URL; whoever does what it asks for has it resolved first.
    public let initiator: String
    /// Until then the transaction may still be decided, and asking about it must not end it; nil when the request does
    /// not say.
    public let deadline: ContinuousClock.Instant?
    /// Until then the caller waits for the answer; nil when the request does not say.
    public let answerBy: ContinuousClock.Instant?
    /// Whether it was asked for before, and answered.
    public let isAgain: Bool
    /// Who decides, in the words of the headers: so it is passed on.
    let initiatorAsSent: String?
    let initiatorNameAsSent: String?

    /// All of them together.
    public init(
        xid: XID, branch: BranchID = .first, mode: BranchMode, initiator: String,
        deadline: ContinuousClock.Instant? = nil, answerBy: ContinuousClock.Instant? = nil
    ) {
        self.init(
            xid: xid, branch: branch, mode: mode, initiator: initiator, deadline: deadline, answerBy: answerBy,
            isAgain: false, sent: (nil, nil))
    }

    private init(
        xid: XID, branch: BranchID, mode: BranchMode, initiator: String, deadline: ContinuousClock.Instant?,
        answerBy: ContinuousClock.Instant?, isAgain: Bool, sent: (initiator: String?, name: String?)
    ) {
        self.xid = xid
        self.branch = branch
        self.mode = mode
        self.initiator = initiator
        self.deadline = deadline
        self.answerBy = answerBy
        self.isAgain = isAgain
        // One that does not count here was not looked up either.
        initiatorAsSent = sent.initiator.flatMap { BranchCallError.isName($0) ? $0 : nil }
        initiatorNameAsSent = sent.name
    }

    /// Nil when a header is missing or makes no sense; only the branch's and the deadline's may be missing.
    public init?(header: (String) -> String?) {
        guard let xid = header(Self.xidHeader).flatMap(XID.init(rawValue:)),
            let mode = header(Self.modeHeader).flatMap(BranchMode.init(rawValue:)),
            let initiator = header(Self.initiatorNameHeader) ?? header(Self.initiatorHeader),
            (1...Self.maxInitiatorLength).contains(initiator.utf8.count)
        else { return nil }
        var branch = BranchID.first
        if let text = header(Self.branchHeader) {
            guard let named = BranchID(rawValue: text) else { return nil }
            branch = named
        }
        var times: [ContinuousClock.Instant?] = []
        for name in [Self.deadlineHeader, Self.waitHeader] {
            guard let text = header(name) else {
                times.append(nil)
                continue
            }
            guard let left = Int(text), left >= 0 else { return nil }
            let longest = 24 * 3600 * 1000
            times.append(.now + .milliseconds(min(left, longest)))
        }
        self.init(
            xid: xid, branch: branch, mode: mode, initiator: initiator, deadline: times[0], answerBy: times[1],
            isAgain: header(Self.againHeader) != nil,
            sent: (header(Self.initiatorHeader), header(Self.initiatorNameHeader)))
    }

    /// The same with `initiator` as who decides.
    public func by(_ initiator: String) -> BranchContext {
        BranchContext(
            xid: xid, branch: branch, mode: mode, initiator: initiator, deadline: deadline, answerBy: answerBy,
            isAgain: isAgain, sent: (initiatorAsSent, initiatorNameAsSent))
    }

    /// The same branch, asked for in the same way, whatever words the headers had for who decides.
    public static func == (one: BranchContext, other: BranchContext) -> Bool {
        one.xid == other.xid && one.branch == other.branch && one.mode == other.mode
            && one.initiator == other.initiator && one.deadline == other.deadline && one.answerBy == other.answerBy
            && one.isAgain == other.isAgain
    }

    /// What is left of the transaction's time, `standard` when the request did not say; never negative.
    func timeLeft(standard: Duration) -> Duration { deadline.map { max(.zero, $0 - .now) } ?? standard }
}

extension ServiceContext {
    private enum BranchKey: ServiceContextKey {
        typealias Value = BranchContext
    }

    private enum CallerKey: ServiceContextKey {
        typealias Value = BranchCaller
    }

    /// At a participant: the branch that the request in hand is for. Set by the server's middleware.
    public var branch: BranchContext? {
        get { self[BranchKey.self] }
        set { self[BranchKey.self] = newValue }
    }

    /// Who calls participants in the current task: the initiator, set by `TransactionInitiator.run`, or a branch that calls
    /// further ones.
    public var branchCaller: BranchCaller? {
        get { self[CallerKey.self] }
        set { self[CallerKey.self] = newValue }
    }
}
