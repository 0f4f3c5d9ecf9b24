/// The names of those with whom global transactions are shared.
public protocol NamedPeers: Sendable {
    /// The name of the peer that a header or a stored row calls so: by its name or, as in rows of earlier versions, by its
    /// base URL. Nil when configuration does not know it; it is neither asked nor told anything then.
    func name(of peer: String) -> String?
}

extension NamedPeers {
    /// Every name is known, and means itself.
    public func name(of peer: String) -> String? { peer }
}

/// How an initiator reaches participants; HTTP enters here.
public protocol ParticipantPeers: NamedPeers {
    /// Tells the participant of that name what was decided; returns what became of each branch.
    func end(_ xids: [XID], verdict: Verdict, at participant: String) async throws -> [XID: BranchOutcome]
}

/// How a participant reaches initiators; HTTP enters here.
public protocol InitiatorPeers: NamedPeers {
    /// Asks the initiator of that name what it decided; see `TransactionInitiator.decisions` for `onlyRead`.
    func decisions(on xids: [XID], onlyRead: Bool, at initiator: String) async throws -> [XID: Decision]
}
