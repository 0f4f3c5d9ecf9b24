import SettleRabbitMQ
import Settle
import Synchronization

/// A broker in memory: it remembers what it was given and says what it was told to say.
final class ScriptedPublisher: MessagePublisher {
    private struct State {
        var messages: [OutboundMessage] = []
        var isUp = true
        var outcome: @Sendable (OutboundMessage) -> PublishOutcome = { _ in .confirmed }
    }

    private let state = Mutex(State())

    init(outcome: @escaping @Sendable (OutboundMessage) -> PublishOutcome = { _ in .confirmed }) {
        state.withLock { $0.outcome = outcome }
    }

    var takesMessages: Bool { state.withLock { $0.isUp } }
    var messages: [OutboundMessage] { state.withLock { $0.messages } }
    /// The ids of all messages, in order.
    var ids: [String] { messages.map(\.messageID) }

    func setUp(_ isUp: Bool) { state.withLock { $0.isUp = isUp } }
    func answer(_ outcome: @escaping @Sendable (OutboundMessage) -> PublishOutcome) {
        state.withLock { $0.outcome = outcome }
    }
    func forget() { state.withLock { $0.messages = [] } }

    func publish(_ messages: [OutboundMessage]) async -> [PublishOutcome] {
        state.withLock { state in
            guard state.isUp else { return messages.map { _ in .notSent(reason: "down") } }
            state.messages += messages
            return messages.map(state.outcome)
        }
    }
}
