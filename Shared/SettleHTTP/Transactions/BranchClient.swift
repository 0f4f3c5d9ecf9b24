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
    /// - Parameters:
    ///   - action: its name at the participant.
    ///   - request: what it is asked; goes as JSON.
    ///   - mode: in which it does it.
    ///   - number: of the call among this caller's; see `BranchCaller.call`.
    ///   - as: the type of its answer.
    /// - Returns: what the participant answers once its part is done.
    /// - Throws: its refusal as `ServiceClientError`; that, or another error, when it is not known what it has done: then the
    ///   transaction can no longer commit.
    /// - Precondition: the task runs inside `TransactionInitiator.run`, or inside the `FurtherCalls` of an action.
    public func call<Answer: Decodable & Sendable>(
        _ action: String, _ request: some Encodable, mode: BranchMode, number: Int? = nil, as: Answer.Type = Answer.self
    ) async throws -> Answer {
        guard let caller = ServiceContext.current?.branchCaller else {
            preconditionFailure("a branch is called outside of a global transaction")
        }
        return try await caller.call(participant, mode: mode, number: number, timeout: timeout) { headers, timeout in
            let answer = try await groups.send(action, try client.encode(request), headers: headers, timeout: timeout)
            return try answer.reply {
                try client.decode(answer)
            } refusal: {
                $0
            }
        }
    }
}

extension ServiceAnswer {
    /// What a participant's answer means for the global transaction.
    ///
    /// - Parameters:
    ///   - done: what it says, when it has done its part.
    ///   - refusal: the error that the caller gets when it said no; else it gets the error as it is.
    /// - Throws: when it is not known what it has done.
    func reply<Answer>(
        _ done: () throws -> Answer, refusal: (ServiceClientError) -> any Error
    ) throws -> BranchReply<Answer> {
        let enlisted = try enlisted
        if (200..<300).contains(status) { return .done(try done(), enlisted: enlisted) }
        let error = ServiceClient.error(self)
        let isRefusal = error.isRefusal
        let told: any Error = isRefusal ? refusal(error) : error
        if header(BranchContext.rollbackHeader) != nil { return .failed(told, enlisted: enlisted) }
        guard isRefusal else { throw error }
        return .refused(told)
    }

    /// Whom the participant has called in turn; as many as there may be at most.
    private var enlisted: [String] {
        get throws(ServiceClientError) {
            guard let text = header(BranchContext.enlistedHeader) else { return [] }
            let names = text.split(separator: ",", maxSplits: BranchCaller.maxParticipants)
            guard names.count <= BranchCaller.maxParticipants else {
                throw .invalidAnswer("more participants than a transaction may have")
            }
            return names.map { String($0.drop { $0 == " " }) }
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
