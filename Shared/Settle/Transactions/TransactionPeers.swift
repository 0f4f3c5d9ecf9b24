/// How an initiator reaches participants; HTTP enters here.
public protocol ParticipantPeers: Sendable {
    /// Tells the participant at a base URL what was decided; returns what became of each branch.
    func end(_ xids: [XID], commit: Bool, at participant: String) async throws -> [XID: BranchOutcome]
}

/// How a participant reaches initiators; HTTP enters here.
public protocol InitiatorPeers: Sendable {
    /// Asks the initiator at a base URL what it decided; see `TransactionInitiator.decisions` for `onlyRead`.
    func decisions(on xids: [XID], onlyRead: Bool, at initiator: String) async throws -> [XID: Decision]
}
