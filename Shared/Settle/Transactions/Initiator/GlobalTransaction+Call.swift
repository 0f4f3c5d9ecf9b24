extension GlobalTransaction {
    /// Has a participant do its part: see `BranchCaller.call`.
    public func call<Answer>(
        _ participant: String, mode: BranchMode, number: Int? = nil, timeout: Duration? = nil,
        _ send: (_ headers: [String: String], _ timeout: Duration) async throws -> BranchReply<Answer>  // ours
    ) async throws -> Answer {
        try await caller.call(participant, mode: mode, number: number, timeout: timeout, send)
    }
}
