public import SettleServiceKit
import HTTPTypes
public import Hummingbird
import NIOCore
import SettleCore
import SettlePostgres
import ServiceContextModule
import Tracing
public import Settle

/// What initiators ask of a participant; all of it internal.
public struct ParticipantRoutes: Sendable {
    struct Branches: Encodable {
        let branches: [UndecidedBranch]
        /// What operators have decided, the latest first.
        let decisions: [OperatorDecision]
    }

    private let participant: Participant
    private let checkBack: CheckBack

    /// The routes of a participant.
    public init(_ participant: Participant, checkBack: CheckBack) {
        self.participant = participant
        self.checkBack = checkBack
    }

    /// Adds phase 2, the list of undecided branches, what an operator decides, and a route for each action:
    /// `POST /branches/<action>`.
    public func add(to guarded: RouterGroup<some RequestContext>) {
        guarded.post("transactions/commit") { request, context in
            let xids = try await requireJSON(XIDs.self, from: request, context: context).checked()
            return try Response.json(Outcomes(try await participant.commit(xids)))
        }
        guarded.post("transactions/rollback") { request, context in
            let xids = try await requireJSON(XIDs.self, from: request, context: context).checked()
            return try Response.json(Outcomes(try await participant.rollBack(xids)))
        }
        guarded.get("transactions") { request, _ in
            let limit = try request.queryInteger("limit", in: 1...1000, default: 200)
            return try Response.json(
                Branches(
                    branches: try await checkBack.undecided(limit: limit),
                    decisions: try await checkBack.operatorDecisions(limit: limit)))
        }
        guarded.post("transactions/decide") { request, context in
            let wanted = try await requireJSON(OperatorRequest.self, from: request, context: context)
            let decided = try await checkBack.decide(
                try wanted.checkedXID(), commit: wanted.decision == Decision.commit.rawValue, by: wanted.operator,
                because: wanted.reason, force: wanted.force ?? false)
            return try Response.json(decided, status: decided.outcome == nil ? .accepted : .ok)
        }
        let branches = guarded.group().add(middleware: BranchMiddleware())
        for action in participant.actions {
            guarded.post("branches/\(action)/group") { request, context in
                let group = try await requireJSON(BranchGroup.self, from: request, context: context)
                try Check.range("calls", group.calls.count, in: 1...BranchGroup.limit)
                return try Response.json(
                    await BranchGroupAnswers(participant, checkBack, logger: context.logger).answers(to: group, action))
            }
            branches.post("branches/\(action)") { request, context in
                let branch = try checkBack.known(ServiceContext.current?.branch)
                let body = try await requireRawJSON(from: request, context: context)
                let answer: BranchAnswer
                do {
                    answer = try await Spans.beneath(
                        "branch \(action)",
                        attributes: { .branch(branch.xid, action: action, mode: branch.mode.rawValue) }
                    ) { _ in try await participant.perform(action, request: body, context: branch) }
                } catch let error as BranchFailed {
                    throw BranchProblems(action: action, logger: context.logger).problem(
                        for: error, namesBranch: request.headers[settle: BranchContext.branchHeader] != nil)
                }
                var headers: HTTPFields = [.contentType: "application/json"]
                headers[settle: BranchContext.enlistedHeader] = answer.enlistedHeader
                return Response(
                    status: .ok, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: answer.body)))
            }
        }
    }
}

extension CheckBack {
    /// The branch that a request is for, with its initiator by name; throws the problem that keeps it from being done.
    func known(_ asked: BranchContext?) throws(Problem) -> BranchContext {
        guard let asked else {
            throw Problem.badRequest(
                "\(BranchContext.xidHeader), \(BranchContext.modeHeader) and \(BranchContext.initiatorHeader) "
                    + "must name a global transaction, and \(BranchContext.branchHeader), if it is sent, one of its "
                    + "branches: up to \(BranchID.maxDepth) numbers with dots in between, "
                    + "\(BranchID.maxLength) characters at most")
        }
        // Before anything is done: nobody could be asked for the decision, and nobody else shall get the token.
        guard let initiator = initiatorName(asked.initiator) else {
            throw Self.unknownInitiator
        }
        return asked.by(initiator)
    }

    static let unknownInitiator = Problem(
        .unprocessableContent, code: BranchProblem.unknownInitiator, title: "Unknown initiator",
        detail: "the initiator is not one of those that this service's INITIATORS lists")
}

/// `{"xid", "decision", "operator", "reason", "force"}`
struct OperatorRequest: Decodable {
    let xid: String
    let decision: String
    let `operator`: String
    let reason: String
    let force: Bool?

    /// Throws the problem that says what is wrong with it.
    func checkedXID() throws -> XID {
        guard let xid = XID(rawValue: xid) else { throw Problem.unprocessable("xid is not an XID") }
        try Check.choice("decision", decision, of: [Decision.commit.rawValue, Decision.abort.rawValue])
        try Check.length("operator", `operator`, 1...128)
        try Check.length("reason", reason, 1...1000)
        return xid
    }
}

/// What participants ask of an initiator; internal.
public struct InitiatorRoutes: Sendable {
    struct Decisions: Encodable {
        let decisions: [DecisionRecord]
    }

    private let initiator: TransactionInitiator

    /// The routes of `initiator`.
    public init(_ initiator: TransactionInitiator) {
        self.initiator = initiator
    }

    /// Adds `POST /transactions/outcomes`, which participants ask, and for an operator `GET /decisions` and
    /// `GET /decisions/{xid}`.
    public func add(to guarded: RouterGroup<some RequestContext>) {
        guarded.post("transactions/outcomes") { request, context in
            let question = try await requireJSON(XIDs.self, from: request, context: context)
            let xids = try question.checked()
            let decisions = try await initiator.decisions(on: xids, onlyRead: question.onlyRead ?? false)
            return try Response.json(
                Outcomes(Dictionary(xids.map { ($0, decisions[$0] ?? .undecided) }, uniquingKeysWith: { $1 })))
        }
        guarded.get("decisions") { request, _ in
            let limit = try request.queryInteger("limit", in: 1...200, default: 50)
            let state = try request.queryChoice("state", of: ["open", "all"])
            return try Response.json(
                Decisions(decisions: try await initiator.records(isOpen: state != "all", limit: limit)))
        }
        guarded.get("decisions/:xid") { _, context in
            guard let xid = XID(rawValue: try context.pathParameter("xid")),
                let record = try await initiator.record(of: xid)
            else { throw Problem.notFound("nothing was decided on that global transaction") }
            return try Response.json(record)
        }
    }
}

/// Takes the global transaction that a request belongs to out of its headers, for the length of the request.
struct BranchMiddleware<Context: RequestContext>: RouterMiddleware {
    /// Goes on with the branch in the service context, if the headers name one.
    func handle(
        _ request: Request, context: Context, next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        let branch = BranchContext { name in HTTPField.Name(name).flatMap { request.headers[$0] } }
        guard let branch else { return try await next(request, context) }
        var serviceContext = ServiceContext.current ?? .topLevel
        serviceContext.branch = branch
        return try await ServiceContext.withValue(serviceContext) { try await next(request, context) }
    }
}

extension ProblemMapping {
    /// What a participant answers when it will not do its part.
    public static let branches = ProblemMapping { error in
        switch error {
        case let refusal as BranchRefusal: .conflict(refusal.code, refusal.detail)
        case let error as BranchError: error.problem
        case let refusal as OperatorDecisionRefusal: refusal.problem
        case let refusal as DirtyRowRefusal: refusal.problem
        // Of any route, not only a branch's: PUT /products meets the rows of global transactions too.
        case let error as PostgresError where error.isRowHeld: BranchError.locked.problem
        case is DecodingError: .unprocessable("the body is not what this action takes")
        default: nil
        }
    }

    /// What an initiator's client is told when a global transaction cannot be decided.
    public static let transactions = ProblemMapping { error in
        switch error {
        case is TransactionTooLate, is TransactionEnded: .unavailable("it took too long; nothing was done")
        case is TransactionDoomed: .unavailable("a part could not be done; nothing was done")
        case let error as BranchCallError: error.problem
        case let fault as Failpoints.Injected:
            Problem(
                .internalServerError, code: "fault-injected", title: "A fault was injected",
                detail: "at \(fault.point); what was done is undone")
        default: nil
        }
    }
}

extension BranchCallError {
    fileprivate var problem: Problem {
        switch self {
        case .tooDeep:
            Problem(
                .unprocessableContent, code: "too-deep", title: "Too deep",
                detail: "participants may call each other at most \(BranchID.maxDepth) deep")
        case .tooManyParticipants:
            Problem(
                .unprocessableContent, code: "too-many-participants", title: "Too many participants",
                detail: "a global transaction may have at most \(BranchCaller.maxParticipants)")
        // What they say is the operator's.
        case .unknownParticipant, .noParticipants: .unavailable("a service that is needed is not configured")
        case .numberTooSmall: .internalError
        }
    }
}

/// The codes of a participant's problems that initiators know.
public enum BranchProblem {
    /// A row is held by another global transaction.
    public static let locked = "locked"
    /// It came in a group, and has to come alone.
    public static let comeAlone = "come-alone"
    /// The same request is prepared already.
    public static let prepared = "already-prepared"
    /// Mode `at` could not undo changes of the participant's tables as they are.
    public static let atUnavailable = "at-unavailable"
    /// Mode `xa` is switched off in the participant's PostgreSQL.
    public static let xaUnavailable = "xa-unavailable"
    /// What a branch in mode `mt` needs beside the database is away.
    public static let resourceAway = "resource-away"
    /// Configuration does not know who decides.
    public static let unknownInitiator = "unknown-initiator"
}

extension OperatorDecisionRefusal {
    var problem: Problem {
        switch self {
        case .unknown: .notFound("this service has no branch of that global transaction")
        case .ended(let outcome): .conflict("transaction-over", "the branch has ended: \(outcome.rawValue)")
        case .decidedOtherwise(let decision):
            .conflict("decided-otherwise", "the initiator has decided: \(decision.rawValue)")
        case .operatorDecidedOtherwise: .conflict("decided-otherwise", "an operator has decided otherwise before")
        case .mayStillDecide:
            .conflict("may-still-decide", "the initiator may still decide; \"force\": true goes on all the same")
        }
    }
}

extension Problem {
    /// Another global transaction holds a row that is needed.
    package static let locked = Problem.conflict(
        BranchProblem.locked, "another transaction holds a row that is needed", retryAfter: 1)
}

extension BranchError {
    package var problem: Problem {
        switch self {
        case .locked: .locked
        case .comeAlone, .goesOnAlone:
            Problem(
                .tooEarly, code: BranchProblem.comeAlone, title: "Come alone",
                detail: "this cannot be answered beside the others now")
        case .transactionIsOver: .conflict("transaction-over", "the global transaction is over")
        case .otherRequest:
            .conflict("transaction-used", "another request was done here already as this branch")
        case .tooManyBranches:
            Problem(
                .unprocessableContent, code: "too-many-branches", title: "Too many branches",
                detail: "the global transaction has as many branches here as it may have")
        case .nameTooLong:
            Problem(
                .unprocessableContent, code: "name-too-long", title: "The name is too long",
                detail: "in mode 'xa' the names of transaction, branch and initiator must fit into one of 199 bytes")
        case .prepared: .conflict(BranchProblem.prepared, "this was done already and waits for the decision")
        case .tooManyRows(let limit):
            Problem(
                .unprocessableContent, code: "too-many-rows", title: "Too many rows",
                detail: "in mode 'at' one branch may change at most \(limit) rows")
        case .unsupportedMode(let mode): .unprocessable("this action has no mode '\(mode.rawValue)'")
        case .atImpossible:
            Problem(
                .serviceUnavailable, code: BranchProblem.atUnavailable, title: "Mode at is unavailable",
                detail: "mode 'at' could not undo what is done here; the service's log says why, and the others work",
                retryAfter: 60)
        case .resourceAway:
            Problem(
                .serviceUnavailable, code: BranchProblem.resourceAway, title: "A resource is away",
                detail: "what this needs beside the database cannot be reached now", retryAfter: 1)
        case .xaImpossible:
            Problem(
                .serviceUnavailable, code: BranchProblem.xaUnavailable, title: "Mode xa is unavailable",
                detail: "mode 'xa' needs max_prepared_transactions > 0 in this service's PostgreSQL; the others work",
                retryAfter: 60)
        }
    }
}
