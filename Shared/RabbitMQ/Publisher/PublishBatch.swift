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
}

/// A request on the connection's thread: outcomes gather here until the last one resumes the caller.
final class PublishBatch {
    let messages: [OutboundMessage]
    let sendBy: ContinuousClock.Instant
    private var outcomes: [PublishOutcome?]
    private var missing: Int
    private var next = 0
    private let continuation: CheckedContinuation<[PublishOutcome], Never>

    init(_ request: PublishRequest) {
        messages = request.messages
        sendBy = request.sendBy
        outcomes = request.outcomes
        continuation = request.continuation
        missing = outcomes.count { $0 == nil }
    }

    /// The index of the next message to send, or nil when all are sent.
    func takeNext() -> Int? {
        while next < messages.count {
            defer { next += 1 }
            if outcomes[next] == nil { return next }
        }
        return nil
    }

    func settle(_ index: Int, _ outcome: PublishOutcome) {
        guard outcomes[index] == nil else { return }
        outcomes[index] = outcome
        missing -= 1
        if missing == 0 { continuation.resume(returning: outcomes.compactMap(\.self)) }
    }
}
