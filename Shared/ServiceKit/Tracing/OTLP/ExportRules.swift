import SettleCore

/// What a collector said to a batch of spans.
enum ExportAnswer: Sendable, Equatable {
    /// Of a request that was answered.
    case status(Int, retryAfter: Duration?)
    /// No answer, or none in time.
    case none
}

/// What is done about a batch: https://opentelemetry.io/docs/specs/otlp/#failures-1. Pure.
enum ExportStep: Sendable, Equatable {
    /// The collector has it.
    case done
    /// It is sent again after so long.
    case retry(after: Duration)
    /// The collector does not want it, ever.
    case refused
    /// The collector was away, or had no room, for too long.
    case givenUp

    /// As often a batch is sent, at most: those that gather meanwhile are as good.
    static let attempts = 4
    /// No collector's word makes the next attempt later than this.
    static let longestWait = Duration.seconds(30)
    private static let backoff = Backoff(initial: .seconds(1), cap: .seconds(10))

    /// - Parameters:
    ///   - attempt: the one that was answered, from 1.
    ///   - mayWait: false when the process ends.
    init(after answer: ExportAnswer, attempt: Int, mayWait: Bool) {
        switch answer {
        case .status(200..<300, _): self = .done
        case .status(let status, let wait) where [429, 502, 503, 504].contains(status):
            self = .again(attempt, mayWait, wait)
        case .status: self = .refused
        case .none: self = .again(attempt, mayWait, nil)
        }
    }

    private static func again(_ attempt: Int, _ mayWait: Bool, _ wait: Duration?) -> ExportStep {
        guard mayWait, attempt < attempts else { return .givenUp }
        return .retry(after: min(wait ?? backoff.delay(attempt: attempt), longestWait))
    }
}
