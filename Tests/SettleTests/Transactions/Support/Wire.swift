import SettlePostgres
import Settle
import Synchronization

/// The network between one initiator and its participants, in memory: a test may cut it, slow it down, and count.
final class Wire: ParticipantPeers, InitiatorPeers {
    struct Cut: Error {}

    /// One message that went over it.
    struct Message: Equatable, Sendable {
        let to: String
        let xids: [XID]
        let verdict: Verdict?
        var onlyRead = false
    }

    private struct State {
        var participants: [String: Participant] = [:]
        var initiators: [String: TransactionInitiator] = [:]
        var down: Set<String> = []
        var hanging: Set<String> = []
        var strangers: Set<String> = []
        var messages: [Message] = []
    }

    private let state = Mutex(State())

    func join(_ url: String, _ participant: Participant) { state.withLock { $0.participants[url] = participant } }
    func join(_ url: String, _ initiator: TransactionInitiator) { state.withLock { $0.initiators[url] = initiator } }

    /// Nobody answers at `url`.
    func cut(_ url: String) { state.withLock { _ = $0.down.insert(url) } }
    /// Whoever calls `url` waits until the test ends or the call is cancelled.
    func hang(_ url: String) { state.withLock { _ = $0.hanging.insert(url) } }
    /// Configuration does not know who `name` is.
    func estrange(_ name: String) { state.withLock { _ = $0.strangers.insert(name) } }
    func mend(_ url: String) {
        state.withLock {
            $0.down.remove(url)
            $0.hanging.remove(url)
        }
    }

    /// What was sent to `url`.
    func messages(to url: String) -> [Message] { state.withLock { $0.messages.filter { $0.to == url } } }
    func forget() { state.withLock { $0.messages = [] } }

    func name(of peer: String) -> String? { state.withLock { $0.strangers.contains(peer) ? nil : peer } }

    func end(_ xids: [XID], verdict: Verdict, at url: String) async throws -> [XID: BranchOutcome] {
        try await send(Message(to: url, xids: xids, verdict: verdict))
        guard let participant = state.withLock({ $0.participants[url] }) else { throw Cut() }
        return try await verdict == .commit ? participant.commit(xids) : participant.rollBack(xids)
    }

    func decisions(on xids: [XID], onlyRead: Bool, at url: String) async throws -> [XID: Decision] {
        try await send(Message(to: url, xids: xids, verdict: nil, onlyRead: onlyRead))
        guard let initiator = state.withLock({ $0.initiators[url] }) else { throw Cut() }
        return try await initiator.decisions(on: xids, onlyRead: onlyRead)
    }

    private func send(_ message: Message) async throws {
        let (isDown, isHanging) = state.withLock { state in
            state.messages.append(message)
            return (state.down.contains(message.to), state.hanging.contains(message.to))
        }
        if isHanging { try await Task.sleep(for: .seconds(600)) }
        if isDown { throw Cut() }
    }
}
