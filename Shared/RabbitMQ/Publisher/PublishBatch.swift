/// What one call of `publish` handed in, and the continuation that waits for all its outcomes.
struct PublishRequest: Sendable {
    var messages: [OutboundMessage]
    /// What is known before anything is sent: nil for a message that can be.
    var outcomes: [PublishOutcome?]
    /// What is not sent by then never will be.
    var sendBy: ContinuousClock.Instant
    var continuation: CheckedContinuation<[PublishOutcome], Never>

    /// How many are to be sent.
    var count: Int { outcomes.count { $0 == nil } }
    /// What they hold in memory, from here until the last has its outcome.
    let bytes: Int

    init(
        messages: [OutboundMessage], outcomes: [PublishOutcome?], sendBy: ContinuousClock.Instant,
        continuation: CheckedContinuation<[PublishOutcome], Never>
    ) {
        self.messages = messages
        self.outcomes = outcomes
        self.sendBy = sendBy
        self.continuation = continuation
        bytes = messages.reduce(0) { $0 + $1.byteCount }
    }
}

/// A request on the connection's thread: outcomes gather here until the last one, when the caller may be resumed.
final class PublishBatch {
    let messages: [OutboundMessage]
    let bytes: Int
    let sendBy: ContinuousClock.Instant
    private var outcomes: [PublishOutcome?]
    private var missing: Int
    private var cursor = 0
    private let continuation: CheckedContinuation<[PublishOutcome], Never>

    init(_ request: PublishRequest) {
        messages = request.messages
        bytes = request.bytes
        sendBy = request.sendBy
        outcomes = request.outcomes
        continuation = request.continuation
        missing = outcomes.count { $0 == nil }
    }

    /// The index of the next message to send, or nil when all are sent.
    var next: Int? { outcomes[cursor...].firstIndex { $0 == nil } }

    /// The same, and it is sent then.
    func takeNext() -> Int? {
        let index = next
        cursor = index.map { $0 + 1 } ?? messages.count
        return index
    }

    /// True when this was the last outcome that was missing.
    func settle(_ index: Int, _ outcome: PublishOutcome) -> Bool {
        guard outcomes[index] == nil else { return false }
        outcomes[index] = outcome
        missing -= 1
        return missing == 0
    }

    /// Once, when all outcomes are there.
    func resume() {
        continuation.resume(returning: outcomes.compactMap(\.self))
    }
}
