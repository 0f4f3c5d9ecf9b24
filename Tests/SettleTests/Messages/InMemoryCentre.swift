import Foundation
import Settle
import Synchronization

/// A message centre that a test drives: what it was told, and whether it answers.
final class InMemoryCentre: MessageCentrePeer {
    struct Away: Error {}

    struct State: Sendable {
        var isAway = false
        var prepared: [UUID: PreparedMessage] = [:]
        var prepares = 0
        var confirmed: Set<UUID> = []
        var confirms = 0
        var discarded: Set<UUID> = []
    }

    let state = Mutex(State())

    func prepare(_ messages: [PreparedMessage]) async throws -> Set<UUID> {
        try state.withLock { state in
            guard !state.isAway else { throw Away() }
            state.prepares += messages.count
            for message in messages where state.prepared[message.id] == nil { state.prepared[message.id] = message }
            return Set(messages.filter { state.prepared[$0.id] == $0 }.map(\.id))
        }
    }

    func confirm(_ ids: [UUID]) async throws -> [UUID: Confirmation] {
        try state.withLock { state in
            guard !state.isAway else { throw Away() }
            state.confirms += ids.count
            return ids.reduce(into: [:]) { said, id in
                if state.discarded.contains(id) {
                    said[id] = .discarded
                } else if state.prepared[id] == nil {
                    said[id] = .unknown
                } else {
                    state.confirmed.insert(id)
                    said[id] = .confirmed
                }
            }
        }
    }

    func acknowledge(_ acknowledgements: [MessageAcknowledgement]) async throws -> [String] { [] }
}
