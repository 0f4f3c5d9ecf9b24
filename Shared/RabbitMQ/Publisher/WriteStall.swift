/// How long a socket has taken no data while there was some to send.
struct WriteStall {
    /// When it is too long; nil while the socket takes data, or there is none to send.
    private(set) var deadline: ContinuousClock.Instant?

    /// The socket would not take the next message at `now`; true when that has gone on for `patience`.
    mutating func refused(at now: ContinuousClock.Instant, patience: Duration) -> Bool {
        guard let deadline else {
            deadline = now + patience
            return false
        }
        return deadline <= now
    }

    /// The socket takes data, or nothing waits for it any more: the next wait is a new one.
    mutating func end() {
        deadline = nil
    }
}
