/// Why a batch of commands has no replies.
public enum RedisError: Error, Sendable, Equatable {
    /// There is no connection: nothing was sent.
    case unavailable
    /// Too many commands wait: nothing was sent.
    case overloaded
    /// The connection broke before all replies were read: the commands may or may not have been carried out.
    case connectionLost(String)
    /// Redis was silent for longer than the command timeout: the commands may or may not have been carried out.
    case timeout
    /// A command without any argument cannot be sent: nothing was sent.
    case emptyCommand
    /// The client was stopped: nothing was sent.
    case closed
    /// `run()` was called a second time.
    case alreadyRunning
}
