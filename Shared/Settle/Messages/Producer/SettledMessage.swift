public import Foundation
public import SettlePostgres

/// A message of one's own whose consumer has spoken, for what follows from it.
public struct SettledMessage: Sendable {
    /// Its name.
    public let id: UUID
    /// What it asked for.
    public let type: String
    /// What it was about.
    public let businessKey: String
    /// What its consumer was told, as JSON.
    public let body: String
    /// The consumer's word.
    public let answer: TaskAnswer
    /// The trace that it belongs to.
    public let traceParent: String?
}

/// What the centre tells a producer: what the consumer of its message said.
public struct MessageOutcome: Sendable, Hashable {
    /// Which message.
    public let id: UUID
    /// Why it was rejected; nil when it was done.
    public let rejection: String?

    /// The outcome of one message.
    public init(id: UUID, rejection: String?) {
        self.id = id
        self.rejection = rejection
    }
}

/// What follows from outcomes, inside the transaction that archives their messages.
///
/// It runs on the connection's thread and must not block; it may add statements, and further messages with the sender.
public typealias MessageOutcomeHandler =
    @Sendable (borrowing PostgresTransaction, [SettledMessage], MessageSender) throws -> Void

/// What a producer answers when the centre checks back.
public enum MessageVerdict: String, Sendable {
    /// The business is done: send it.
    case done
    /// It is not, and never will be.
    case notDone
    /// Ask again: its transaction may still commit, or nothing is known of it here.
    case undecided
}

/// The business transaction came too late: its message was given up before, and nothing was written.
public struct MessageGivenUp: Error, Sendable {
    /// From the error of the transaction that called `MessageProducer.done`; nil when it failed otherwise.
    public init?(_ error: PostgresError) {
        guard error.sqlState == "ST010" else { return nil }
    }
}
