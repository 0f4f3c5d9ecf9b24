public import SettleServiceKit
import ServiceContextModule
public import Settle

/// Calls the actions of one participant under the current global transaction.
///
/// Headers carry the transaction; code that calls and code that is called never see it.
public struct BranchClient: Sendable {
    private let client: ServiceClient
    private let participant: String
    private let timeout: Duration?

    /// - Parameters:
    ///   - participant: name of the service that `client` calls; phase 2 finds it by that in the directory.
    ///   - timeout: for one call; at most three quarters of what is left of the transaction's time, and that if nil: so
    ///     something is left for what comes after it.
    public init(_ client: ServiceClient, participant: String, timeout: Duration? = nil) {
        self.client = client
        self.participant = participant
        self.timeout = timeout
    }

    /// Has the participant do its part: `POST /branches/<action>`.
    ///
    /// - Precondition: the task runs inside `TransactionInitiator.run`.
    public func call<Answer: Decodable>(
        _ action: String, _ request: some Encodable, mode: BranchMode, as: Answer.Type = Answer.self
    ) async throws -> Answer {
        guard let transaction = ServiceContext.current?.globalTransaction else {
            preconditionFailure("a branch is called outside of a global transaction")
        }
        let left = transaction.remaining
        guard left > .zero else { throw TransactionTooLate(xid: transaction.xid) }
        var headers = [
            BranchContext.xidHeader: transaction.xid.rawValue, BranchContext.modeHeader: mode.rawValue,
            BranchContext.initiatorHeader: transaction.initiator,
            BranchContext.deadlineHeader: String(Int(left / .milliseconds(1))),
        ]
        headers[BranchContext.initiatorNameHeader] = transaction.initiatorName
        // Before the call: a participant that was reached, or may have been, must hear of the end.
        transaction.enlist(participant)
        do {
            return try await client.post(
                "/branches/\(action)", request, headers: headers, timeout: min(timeout ?? left, left * 3 / 4))
        } catch {
            // It said no, in so many words: nothing was done there, and nothing is to be undone. But where the same
            // request is prepared already, something is.
            if case .status(400..<500, _, _, _) = error, !error.isProblem(BranchProblem.prepared) {
                transaction.withdraw(participant)
            }
            throw error
        }
    }
}
