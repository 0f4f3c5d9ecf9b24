public import SettlePostgres

/// A part of a global transaction over what is no database: a cache, files, a foreign API.
///
/// The branch is remembered durably, in state `preparing`, *before* the resource is touched; when `prepare` has returned it is
/// `prepared`, and only then the initiator has its answer. So a crash at any point is followed by the right call:
///
/// - `rollback` may come for a `prepare` that never happened, that happened and was never answered, or that is still on its
///   way to the resource. It must leave a mark there, so that a `prepare` that comes after it takes nothing: only the resource
///   can know which of the two came first. The mark may be forgotten when no request can be under way any more.
/// - `commit` comes only for a `prepare` that has returned, and has to succeed then, as often as it is tried.
/// - Each of the three may come again, at the same time too: what was done before is done, and answered so. A part is told from
///   others by ``ResourcePart/xid`` and ``ResourcePart/branch`` together.
/// - Where the resource is away they throw, or take longer than `TransactionSettings.resourceTimeout`, which is the same: a
///   `prepare` has failed then, and is rolled back; `commit` and `rollback` are tried again, later each time, for as long as it
///   takes, while branches of other resources, and of other modes, end. `GET /transactions` shows how often that was, and why.
public protocol MTAction: Sendable {
    /// What is asked for.
    associatedtype Request: Codable & Sendable
    /// What is answered.
    associatedtype Answer: Codable & Sendable

    /// Takes what is asked for, so that it can be given back, and so that nobody else gets it.
    ///
    /// - Throws: `BranchRefusal` when the business says no, or when this part was rolled back before: nothing may stay
    ///   then, and the branch is forgotten. After any other error it is not known whether something was taken, and
    ///   `rollback` follows.
    func prepare(_ part: ResourcePart<Request>) async throws -> Answer

    /// Makes final what `prepare` has taken.
    func commit(_ part: ResourcePart<Request>) async throws

    /// Gives back what `prepare` has taken, if it has, and keeps it from taking anything later.
    func rollback(_ part: ResourcePart<Request>) async throws

    /// Asked before anything is remembered; throws where the resource is known to be away, so that nothing need be undone.
    func admit() async throws

    /// Writes what was committed into the service's own database, in the transaction that ends the branches: once for each.
    func book(_ requests: [Request], in transaction: borrowing PostgresTransaction) throws
}

extension MTAction {
    /// Always.
    public func admit() async throws {}

    /// Nothing.
    public func book(_ requests: [Request], in transaction: borrowing PostgresTransaction) throws {}
}

/// One branch of a global transaction, as the action over a resource is told of it.
public struct ResourcePart<Request: Sendable>: Sendable {
    /// The global transaction.
    public let xid: XID
    /// Which of its branches.
    public let branch: BranchID
    /// What was asked for.
    public let request: Request

    /// A part.
    public init(xid: XID, branch: BranchID, request: Request) {
        self.xid = xid
        self.branch = branch
        self.request = request
    }

    /// Transaction and branch in one text, unlike every other part's: by this the resource knows it.
    public var key: String { "\(xid)/\(branch)" }
}

/// A part over what is no database, of several global transactions at once. It names its `Request` and its `Answer` by
/// typealiases.
public protocol MTGroupAction: MTAction {
    /// As one `prepare` after the other; for each part, in order, what came of it.
    func prepare(_ parts: [ResourcePart<Request>]) async -> [Result<Answer, any Error>]

    /// Of all `parts`. Where it throws, each is tried alone.
    func commit(_ parts: [ResourcePart<Request>]) async throws

    /// Of all `parts`. Where it throws, each is tried alone.
    func rollback(_ parts: [ResourcePart<Request>]) async throws
}

extension MTGroupAction {
    /// As of a group of one.
    public func prepare(_ part: ResourcePart<Request>) async throws -> Answer { try await prepare([part])[0].get() }
    /// As of a group of one.
    public func commit(_ part: ResourcePart<Request>) async throws { try await commit([part]) }
    /// As of a group of one.
    public func rollback(_ part: ResourcePart<Request>) async throws { try await rollback([part]) }
}
