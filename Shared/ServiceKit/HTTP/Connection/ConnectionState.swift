import NIOCore

/// Where one connection stands and until when it may: decides, and does nothing itself.
///
/// ```
///          first byte        head ends        body ends           answer ends
///   idle ────────────▶ head ───────────▶ body ──────────▶ answering ────────────▶ idle, or closing
/// ```
/// Anything wrong with a request before it is complete leads to `closing`: the client is told, and what it still sends is
/// thrown away for a moment. Closed at once, the answer could be lost to it (RFC 9112, 9.6).
struct ConnectionState {
    enum Phase {
        case idle, head, body, answering, closing
    }

    enum Expiry: Equatable {
        /// Nothing to do until ``ConnectionState/deadline``.
        case notYet
        /// The client took too long with its request.
        case refuse
        /// Nobody is there, or nobody who takes what is sent.
        case close
    }

    /// How long what still comes is read, and thrown away, after the last answer.
    static let linger = TimeAmount.seconds(2)

    private let idleTimeout, headTimeout, bodyTimeout, writeTimeout: TimeAmount
    private(set) var phase = Phase.idle
    private var phaseDeadline: NIODeadline?
    /// While the client leaves bytes untaken: how many it had taken, and when it must have taken more.
    private var stall: (sent: Int, deadline: NIODeadline)?
    private var bodyBytes = 0
    /// The answer to the request at hand is the last one of this connection.
    private(set) var isLast = false

    init(limits: HTTPLimits) {
        idleTimeout = TimeAmount(limits.idleTimeout)
        headTimeout = TimeAmount(limits.headTimeout)
        bodyTimeout = TimeAmount(limits.bodyTimeout)
        writeTimeout = TimeAmount(limits.writeTimeout)
    }

    /// When ``expired(sent:pending:at:)`` has something to say; it may be asked earlier.
    var deadline: NIODeadline? {
        guard let stall else { return phaseDeadline }
        switch phase {
        // The client is busy with what it has been sent: it is not idle, and it is waited for.
        case .idle, .answering, .closing: return stall.deadline
        case .head, .body: return phaseDeadline.map { min($0, stall.deadline) }
        }
    }

    mutating func opened(at now: NIODeadline) { enter(.idle, until: now + idleTimeout) }

    /// Some bytes came.
    mutating func received(at now: NIODeadline) {
        if phase == .idle { enter(.head, until: now + headTimeout) }
    }

    /// - Parameter isLast: the client wants, or has to be given, one answer and no more.
    mutating func headEnded(isLast: Bool, at now: NIODeadline) {
        bodyBytes = 0
        self.isLast = self.isLast || isLast
        enter(.body, until: now + bodyTimeout)
    }

    /// - Returns: whether the body is still one that is taken.
    mutating func received(bodyBytes count: Int) -> Bool {
        bodyBytes += count
        return bodyBytes <= HTTPLimits.maxBodyBytes
    }

    /// The request is complete; how long its answer takes is its route's business.
    mutating func requestEnded() { enter(.answering, until: nil) }

    /// - Returns: whether another request may follow.
    mutating func answerEnded(at now: NIODeadline) -> Bool {
        guard phase == .answering, !isLast else { return false }
        enter(.idle, until: now + idleTimeout)
        return true
    }

    /// The last answer is about to be written out, or there is none to be.
    mutating func finish() { enter(.closing, until: nil) }

    /// The last answer has been written out and the client told so.
    mutating func outputClosed(at now: NIODeadline) { phaseDeadline = now + Self.linger }

    /// The service is stopping: the request at hand is the last.
    ///
    /// - Returns: whether there is none, so that the connection can be closed now.
    mutating func quiesce() -> Bool {
        isLast = true
        switch phase {
        case .idle, .head, .closing: return true
        case .body, .answering: return false
        }
    }

    /// Bytes were given to the socket: `sent` of all so far it has taken, `pending` it has not.
    mutating func flushed(sent: Int, pending: Int, at now: NIODeadline) {
        if pending == 0 {
            stall = nil
        } else if stall == nil {
            stall = (sent, now + writeTimeout)
        }
    }

    mutating func expired(sent: Int, pending: Int, at now: NIODeadline) -> Expiry {
        if let stall, stall.deadline <= now {
            if pending > 0, sent == stall.sent { return .close }
            self.stall = pending > 0 ? (sent, now + writeTimeout) : nil
            // Only now has it nothing more to do.
            if phase == .idle { phaseDeadline = now + idleTimeout }
        }
        guard let deadline, deadline <= now else { return .notYet }
        switch phase {
        case .idle, .closing: return .close
        case .head, .body: return .refuse
        case .answering: return .notYet
        }
    }

    private mutating func enter(_ phase: Phase, until deadline: NIODeadline?) {
        self.phase = phase
        phaseDeadline = deadline
    }
}
