/// Why a call to another service has no usable answer.
public enum ServiceClientError: Error, Sendable, Equatable {
    /// No connection, or it broke. When `isUnsent` the peer has surely not seen the call, else it may have carried it out.
    case unavailable(reason: String, isUnsent: Bool)
    /// The deadline passed; the peer may have carried it out.
    case timeout
    /// Too many calls of this process wait already: not sent.
    case overloaded
    /// Not the JSON that was expected, or too long.
    case invalidAnswer(String)
    /// The peer answered, but not with 2xx.
    case status(Int, problemType: String?, detail: String?, retryAfter: Int?)

    /// Whether the peer has surely not seen the call.
    public var isUnsent: Bool {
        switch self {
        case .unavailable(_, let isUnsent): isUnsent
        case .overloaded: true
        case .timeout, .invalidAnswer, .status: false
        }
    }

    /// Whether the peer answered with the problem whose `type` ends in `/code`.
    public func isProblem(_ code: String) -> Bool {
        if case .status(_, let type?, _, _) = self { type.hasSuffix("/" + code) } else { false }
    }

    /// What a client of this service is told unless the service says otherwise: `nil` is a 500.
    var problem: Problem? {
        switch self {
        case .unavailable, .timeout: .unavailable("a service that is needed is away")
        case .overloaded: .unavailable("too many requests at once")
        case .status(let status, _, _, let retryAfter) where status >= 500 || status == 429:
            .unavailable("a service that is needed is away", retryAfter: retryAfter ?? 1)
        case .status, .invalidAnswer: nil
        }
    }
}
