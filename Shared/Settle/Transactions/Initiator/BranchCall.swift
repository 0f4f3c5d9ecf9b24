public import Foundation

/// What a participant said to a call.
public enum BranchReply<Answer: Sendable>: Sendable {
    /// It has done its part.
    case done(Answer)
    /// It said, in so many words, that it has done nothing, and will not: the error is for the caller. Silence, a lost
    /// connection or a time limit are none of this; they are thrown.
    case refused(any Error)
}

extension GlobalTransaction {
    /// Has a participant do its part: the rule that keeps global transactions safe, whatever carries the call.
    ///
    /// The participant is enlisted before the call: one that was reached, or may have been, must hear of the end. Only if
    /// it refused is it forgotten again. Each call is a branch of its own, whose name is among the headers: whoever sends
    /// them again asks for the same branch again.
    ///
    /// - Parameters:
    ///   - participant: name of the service; phase 2 finds it by that.
    ///   - mode: how the participant does its part, so that it can still be undone.
    ///   - timeout: for the call; at most three quarters of what is left of the transaction's time, and that if nil: so
    ///     something is left for what comes after it.
    ///   - send: carries `headers` to the participant with the request.
    /// - Throws: `TransactionTooLate` when no time is left; the error of a refusal; what `send` throws.
    public func call<Answer>(
        _ participant: String, mode: BranchMode, timeout: Duration? = nil,
        _ send: (_ headers: [String: String], _ timeout: Duration) async throws -> BranchReply<Answer>  // ours
    ) async throws -> Answer {
        let left = remaining
        guard left > .zero else { throw TransactionTooLate(xid: xid) }
        var headers = [
            BranchContext.xidHeader: xid.rawValue, BranchContext.branchHeader: nextBranch().rawValue,
            BranchContext.modeHeader: mode.rawValue,
            BranchContext.initiatorHeader: initiator,
            BranchContext.deadlineHeader: String(Int(left / .milliseconds(1))),
        ]
        headers[BranchContext.initiatorNameHeader] = initiatorName
        enlist(participant)
        switch try await send(headers, min(timeout ?? left, left * 3 / 4)) {
        case .done(let answer):
            return answer
        case .refused(let error):
            withdraw(participant)
            throw error
        }
    }
}

/// How an initiator's calls reach participants; HTTP enters here.
public protocol BranchTransport: Sendable {
    /// Has `participant` do the action with a request in JSON. `headers` must reach it.
    ///
    /// - Throws: when it is not known what the participant did.
    func perform(
        _ action: String, _ request: Data, headers: [String: String], timeout: Duration,  // ours
        at participant: String
    ) async throws -> BranchReply<Data>
}
