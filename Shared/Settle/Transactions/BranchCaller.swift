import Synchronization

/// Who calls participants under a global transaction: its initiator, or a branch that calls further ones in turn.
///
/// It knows whom it has called, and whom those have called: that goes back with the answer, up to the initiator, so that
/// phase 2 reaches all of them.
public final class BranchCaller: Sendable {
    /// How many participants one global transaction may have.
    public static let maxParticipants = 64

    private struct State {
        /// How many calls went to each participant that did something, or may have.
        var calls: [String: Int] = [:]  // ours
        /// The highest number that a call had.
        var last = 0
        var doom: (any Error)?
        var mayBeIncomplete = false
        var holdsRows = false
    }

    /// The global transaction.
    public let xid: XID
    /// Whose calls they are; nil: the initiator's own.
    public let branch: BranchID?
    /// The initiator's base URL, or its name.
    public let initiator: String
    /// The initiator's name, by which participants know whom to ask; nil: they go by the one above.
    public let initiatorName: String?
    /// The global transaction may not be committed past this.
    public let deadline: ContinuousClock.Instant
    /// Until then whoever called this branch waits for its answer.
    private let answerBy: ContinuousClock.Instant
    /// The name of a participant as configuration has it; nil when it does not know it.
    private let name: @Sendable (String) -> String?
    private let state = Mutex(State())

    /// The initiator's.
    init(
        xid: XID, initiator: String, initiatorName: String?, deadline: ContinuousClock.Instant,
        name: @escaping @Sendable (String) -> String? = { $0 }
    ) {
        self.xid = xid
        branch = nil
        self.initiator = initiator
        self.initiatorName = initiatorName
        self.deadline = deadline
        answerBy = deadline
        self.name = name
    }

    /// A branch's.
    ///
    /// - Parameter standard: of the transaction's time, when the request did not say what is left of it.
    init(_ context: BranchContext, standard: Duration) {
        xid = context.xid
        branch = context.branch
        initiator = context.initiatorAsSent ?? context.initiator
        initiatorName = context.initiatorNameAsSent
        let deadline = context.deadline ?? .now + standard
        self.deadline = deadline
        // A caller that does not say how long it waits takes three quarters of what is left, as this one does.
        answerBy = context.answerBy ?? .now + max(.zero, deadline - .now) * 3 / 4
        // Only the initiator tells them anything.
        name = { $0 }
    }

    /// Notes, before each call, that the service of this name may do a part of it.
    ///
    /// - Throws: `BranchCallError` when there are too many.
    func enlist(_ participant: String) throws(BranchCallError) {
        let fits = state.withLock { state in
            guard state.calls[participant] != nil || state.calls.count < Self.maxParticipants else { return false }
            state.calls[participant, default: 0] += 1
            return true
        }
        guard fits else { throw .tooManyParticipants }
    }

    /// Takes back one `enlist`, for a call that surely did nothing.
    func withdraw(_ participant: String) {
        state.withLock { state in
            guard let calls = state.calls[participant] else { return }
            state.calls[participant] = calls > 1 ? calls - 1 : nil
        }
    }

    /// The name of the next call's branch, or of the call of that number.
    func nextBranch(_ number: Int? = nil) throws(BranchCallError) -> BranchID {
        let number = state.withLock { state in
            let number = number ?? state.last + 1
            state.last = max(state.last, number)
            return number
        }
        guard number > 0 else { throw .numberTooSmall }
        guard let branch else { return .call(number) }
        guard let child = branch.child(number) else { throw .tooDeep }
        return child
    }

    /// Who may have done a part, as far as is known.
    var participants: [String] { state.withLock { $0.calls.keys.sorted() } }

    /// Why the global transaction can only be rolled back, if so.
    var doom: (any Error)? { state.withLock { $0.doom } }

    /// Whether somebody may have done a part of whom nothing is known here: who was called by one whose answer is missing.
    var mayBeIncomplete: Bool { state.withLock { $0.mayBeIncomplete } }

    /// Whether one of its calls may have changed rows that others wait for until the end.
    var holdsRows: Bool { state.withLock { $0.holdsRows } }

    /// What is left for its calls; never negative.
    public var remaining: Duration { max(.zero, min(deadline, answerBy) - .now) }

    /// Has a participant do its part: the rule that keeps global transactions safe, whatever carries the call.
    ///
    /// The participant is enlisted before the call: one that was reached, or may have been, must hear of the end. Only if
    /// it refused is it forgotten again. Unless it refused or answered well the global transaction can only be rolled back,
    /// whatever the caller makes of the error. Each call is a branch of its own, whose name is among the headers: whoever
    /// sends them again asks for the same branch again.
    ///
    /// - Parameters:
    ///   - participant: name of the service; phase 2 finds it by that.
    ///   - mode: how the participant does its part, so that it can still be undone.
    ///   - number: of the call among this caller's, from 1 on; nil: the one after the highest so far. A branch that is
    ///     asked for again makes its calls again, and each must get the number that it had. So calls that are made one after
    ///     the other need none, and calls that are made at the same time need one each.
    ///   - timeout: for the call; at most three quarters of what is left of the time, and that if nil: so something is left
    ///     for what comes after it.
    ///   - send: carries `headers` to the participant with the request.
    /// - Throws: `TransactionTooLate` when no time is left, and `BranchCallError`: then nothing was sent, or it came to be
    ///   too much. The error of a refusal; what `send` throws.
    public func call<Answer>(
        _ participant: String, mode: BranchMode, number: Int? = nil, timeout: Duration? = nil,
        _ send: (_ headers: [String: String], _ timeout: Duration) async throws -> BranchReply<Answer>  // ours
    ) async throws -> Answer {
        let left = remaining
        guard left >= .milliseconds(1) else { throw TransactionTooLate(xid: xid) }
        let wait = min(timeout ?? left, left * 3 / 4)
        var headers = [
            BranchContext.xidHeader: xid.rawValue, BranchContext.branchHeader: try nextBranch(number).rawValue,
            BranchContext.modeHeader: mode.rawValue,
            BranchContext.initiatorHeader: initiator,
            BranchContext.deadlineHeader: String(Int(max(.zero, deadline - .now) / .milliseconds(1))),
            BranchContext.waitHeader: String(Int(wait / .milliseconds(1))),
        ]
        headers[BranchContext.initiatorNameHeader] = initiatorName
        try enlist(participant)
        if mode.holdsRows { state.withLock { $0.holdsRows = true } }
        let reply: BranchReply<Answer>
        do {
            reply = try await send(headers, wait)
        } catch {
            state.withLock { $0.mayBeIncomplete = true }
            throw doomed(error)
        }
        switch reply {
        case .done(let answer, let enlisted):
            do { try adopt(enlisted) } catch { throw doomed(error) }
            return answer
        case .refused(let error):
            withdraw(participant)
            throw error
        case .failed(let error, let enlisted):
            do { try adopt(enlisted) } catch { throw doomed(error) }
            throw doomed(error)
        }
    }

    /// Enlists those whom a participant has called in turn.
    private func adopt(_ enlisted: [String]) throws(BranchCallError) {
        var failure: BranchCallError?
        for text in enlisted {
            do throws(BranchCallError) {
                guard let known = BranchCallError.isName(text) ? name(text) : nil else {
                    throw .unknownParticipant(text)
                }
                try enlist(known)
            } catch {
                failure = failure ?? error
            }
        }
        guard let failure else { return }
        state.withLock { $0.mayBeIncomplete = true }
        throw failure
    }

    private func doomed(_ error: any Error) -> any Error {
        state.withLock { $0.doom = $0.doom ?? error }
        return error
    }
}

/// Why a participant cannot be called, or a call not be counted.
public enum BranchCallError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The calls are nested more than `BranchID.maxDepth` deep, or their names have become too long.
    case tooDeep
    /// Calls have numbers from 1 on.
    case numberTooSmall
    /// The global transaction would have more than `BranchCaller.maxParticipants`.
    case tooManyParticipants
    /// A participant has called one that the initiator's configuration does not know: it could not be told the end.
    case unknownParticipant(String)
    /// The application did not say whom it calls.
    case noParticipants

    /// For an operator.
    public var description: String {
        switch self {
        case .tooDeep: "calls are nested too deep: at most \(BranchID.maxDepth)"
        case .numberTooSmall: "calls have numbers from 1 on"
        case .tooManyParticipants: "more than \(BranchCaller.maxParticipants) participants"
        case .unknownParticipant(let name): "a participant has called '\(name)', whom configuration does not know"
        case .noParticipants: "participate was not told whom the application calls"
        }
    }

    /// Whether `text` can be a participant's name.
    static func isName(_ text: String) -> Bool {
        (1...BranchContext.maxInitiatorLength).contains(text.utf8.count)
            && text.utf8.allSatisfy { (33...126).contains($0) && $0 != UInt8(ascii: ",") }
    }
}
