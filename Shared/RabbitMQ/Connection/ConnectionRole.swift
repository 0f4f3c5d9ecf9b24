/// What one connection is for: the part of the work that differs between publishing and consuming.
///
/// All of it is called by the connection's own thread. An error thrown ends the connection.
protocol ConnectionRole: AnyObject {
    /// Logged in: declare, open channels.
    func opened(_ connection: AMQPConnection) throws(AMQPError)
    /// Every frame but connection.close.
    func received(_ frame: InboundFrame, on connection: AMQPConnection) throws(AMQPError)
    /// Everything else that there is to do; called after frames, after a wake-up, and at the time it asked for.
    func work(on connection: AMQPConnection) throws(AMQPError) -> NextWork
    /// The same without a connection, while the shutdown waits for something else.
    func workOffline()
    /// The connection is gone, or there was none to have.
    func closed(_ error: AMQPError)
    /// Shutdown was asked for.
    var isStopping: Bool { get }
    /// Shutdown was asked for, and nothing is left to do on a connection.
    var isFinished: Bool { get }
}

/// When a role wants to be called again, besides for frames and wake-ups.
struct NextWork: Equatable {
    /// At this time.
    var at: ContinuousClock.Instant?
    /// As soon as the socket takes data.
    var whenWritable = false
    /// At once; frames that have come are read first.
    var now = false
}
