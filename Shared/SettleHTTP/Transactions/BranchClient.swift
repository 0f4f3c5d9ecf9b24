public import SettleServiceKit
import ServiceContextModule
public import Settle

/// Calls the actions of one participant under the current global transaction.
///
/// Headers carry the transaction; code that calls and code that is called never see it.
public struct BranchClient: Sendable {
    private let client: ServiceClient
    private let groups: BranchGroups
    private let participant: String
    private let timeout: Duration?

    /// - Parameters:
    ///   - client: calls the service that does the part.
    ///   - participant: name of the service that `client` calls; phase 2 finds it by that in the directory.
    ///   - timeout: for one call; see `GlobalTransaction.call`.
    public init(_ client: ServiceClient, participant: String, timeout: Duration? = nil) {
        self.client = client
        groups = BranchGroups(client)
        self.participant = participant
        self.timeout = timeout
    }

    /// Has the participant do its part: `POST /branches/<action>`, together with others that come at the same time.
    ///
    /// - Precondition: the task runs inside `TransactionInitiator.run`.
    public func call<Answer: Decodable & Sendable>(
        _ action: String, _ request: some Encodable, mode: BranchMode, as: Answer.Type = Answer.self
    ) async throws -> Answer {
        guard let transaction = ServiceContext.current?.globalTransaction else {
            preconditionFailure("a branch is called outside of a global transaction")
        }
        return try await transaction.call(participant, mode: mode, timeout: timeout) { headers, timeout in
            do throws(ServiceClientError) {
                let answer = try await groups.send(
                    action, try client.encode(request), headers: headers, timeout: timeout)
                return .done(try client.decode(answer))
            } catch {
                guard error.isRefusal else { throw error }
                return .refused(error)
            }
        }
    }
}

extension ServiceClientError {
    /// Whether a participant said no, in so many words: nothing was done there, and nothing is to be undone. But where the
    /// same request is prepared already, something is.
    var isRefusal: Bool {
        if case .status(400..<500, _, _, _) = self { !isProblem(BranchProblem.prepared) } else { false }
    }
}
