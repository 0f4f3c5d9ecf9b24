public import Foundation

/// How producers and consumers reach the message centre; HTTP enters here.
public protocol MessageCentrePeer: Sendable {
    /// Has these kept; harmless when the centre has them already.
    ///
    /// - Returns: those of them that the centre has, as they are here. Of one that is missing it has another content.
    func prepare(_ messages: [PreparedMessage]) async throws -> Set<UUID>
    /// Has these sent, whose business is done; says of each what the centre makes of it.
    func confirm(_ ids: [UUID]) async throws -> [UUID: Confirmation]
    /// Says what became of messages that were consumed; returns when the centre has noted it.
    ///
    /// - Returns: the ids of those that the centre knows nothing of.
    func acknowledge(_ acknowledgements: [MessageAcknowledgement]) async throws -> [String]
}

/// A message as the centre is to keep it.
public struct PreparedMessage: Sendable, Equatable {
    /// Made by the producer.
    public let id: UUID
    /// For people.
    public let type: String
    /// What it is about.
    public let businessKey: String
    /// Where it is published to.
    public let exchange: String
    /// What it is published with.
    public let routingKey: String
    /// What is published: a JSON text.
    public let body: String
    /// What is published with it: a signature, a trace.
    public let headers: [String: String]  // ours
    /// Whether the producer is to be told what its consumer said.
    public let wantsOutcome: Bool
}

/// What the centre says to a confirmation.
public enum Confirmation: String, Sendable {
    /// It is sent until it is acknowledged.
    case confirmed
    /// The centre does not have it, or not yet.
    case unknown
    /// Somebody has thrown it away before: an operator, as a rule.
    case discarded
}

/// What a consumer says of a message.
public struct MessageAcknowledgement: Sendable, Equatable {
    /// The message's `message-id`.
    public let id: String
    /// Whose message it was, as the message said.
    public let producer: String
    /// What became of it.
    public let answer: TaskAnswer
}
