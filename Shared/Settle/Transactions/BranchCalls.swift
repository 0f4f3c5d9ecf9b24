public import Foundation

/// What a participant said to a call.
public enum BranchReply<Answer: Sendable>: Sendable {
    /// It has done its part, and so have those whom it has called in turn: the `enlisted`.
    case done(Answer, enlisted: [String] = [])
    /// It said, in so many words, that it has done nothing, and will not: the error is for the caller. Silence, a lost
    /// connection or a time limit are none of this; they are thrown.
    case refused(any Error)
    /// It said that it has done its part, but that something else failed which belongs to it: the error is for the caller, and
    /// the global transaction can only be rolled back.
    case failed(any Error, enlisted: [String] = [])
}

/// How calls reach participants; HTTP enters here.
public protocol BranchTransport: Sendable {
    /// Has `participant` do the action with a request in JSON. `headers` must reach it.
    ///
    /// - Throws: when it is not known what the participant did.
    func perform(
        _ action: String, _ request: Data, headers: [String: String], timeout: Duration,  // ours
        at participant: String
    ) async throws -> BranchReply<Data>
}

/// Calls to participants, by their names, under a global transaction.
public struct BranchCalls: Sendable {
    /// Whose calls they are.
    public let caller: BranchCaller
    let transport: (any BranchTransport)?

    init(_ caller: BranchCaller, over transport: (any BranchTransport)?) {
        self.caller = caller
        self.transport = transport
    }

    /// The global transaction.
    public var xid: XID { caller.xid }

    /// Has a participant do its part.
    ///
    /// - Parameters:
    ///   - participant: its name; configuration knows where it is.
    ///   - action: what it shall do.
    ///   - mode: how, so that it can still be undone.
    ///   - request: what the action needs to know; sent as JSON.
    ///   - number: see `BranchCaller.call`; calls that are made at the same time need one each.
    ///   - as: what it answers; the context says it where this is left out.
    /// - Throws: `BranchRefusal` when it said no. After any other error the global transaction can only be rolled back.
    @discardableResult
    public func call<Answer: Decodable & Sendable>(
        _ participant: String, _ action: String, mode: BranchMode, _ request: some Encodable, number: Int? = nil,
        as: Answer.Type = Answer.self
    ) async throws -> Answer {
        guard let transport else { throw BranchCallError.noParticipants }
        let body = try JSONEncoder().encode(request)
        let answer: Data = try await caller.call(participant, mode: mode, number: number) { headers, timeout in
            try await transport.perform(action, body, headers: headers, timeout: timeout, at: participant)
        }
        return try JSONDecoder().decode(Answer.self, from: answer)
    }
}
