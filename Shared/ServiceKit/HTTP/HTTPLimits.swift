/// How much one process takes on at once, and how long it waits for a client.
public struct HTTPLimits: Sendable {
    /// A longer body is answered 413.
    public static let maxBodyBytes = 1 << 20

    /// Requests in flight beyond this are answered 503 with `Retry-After`. A request counts once it is here as a whole.
    public var maxInFlight: Int

    /// Paths that begin with one of these are let in all the same: they free what the requests in flight wait for.
    public var alwaysAdmitted = ["/transactions/"]

    /// Connections open at once; what comes beyond is answered 503 and closed. Never more than half of the descriptors
    /// that the process may have: the rest is for its databases, brokers and peers.
    public var maxConnections = 4096

    /// Bytes of all request bodies that are on their way in or being worked on; beyond it, 503 with `Retry-After`.
    public var bodyBudget = 32 << 20

    /// How long a connection may be open without a request. Longer than clients keep theirs (ours: 60 s), so that a
    /// request seldom meets a connection that is just being closed.
    public var idleTimeout: Duration = .seconds(75)

    /// From the first byte of a request's head to its last; then 408.
    public var headTimeout: Duration = .seconds(10)

    /// From the end of the head to the end of the body; then 408.
    public var bodyTimeout: Duration = .seconds(30)

    /// How long a client may take nothing of an answer that is there for it. How long an answer takes as a whole is not
    /// limited: a stream of events may last for hours.
    public var writeTimeout: Duration = .seconds(30)

    /// The defaults above, and 1,024 requests in flight.
    public init(maxInFlight: Int = 1024) { self.maxInFlight = maxInFlight }

    /// As the operator wants them.
    public init(_ reader: SettingsReader) throws(SettingsError) {
        self.init()
        let sensible = Duration.milliseconds(100)...Duration.seconds(24 * 3600)
        maxConnections = try reader.integer("http-max-connections", default: maxConnections, in: 1...1_000_000)
        // Less than one body would refuse what the limit of a body allows.
        bodyBudget = try reader.integer("http-body-budget", default: bodyBudget, in: Self.maxBodyBytes...(1 << 40))
        idleTimeout = try reader.duration("http-idle-timeout", default: idleTimeout, in: sensible)
        headTimeout = try reader.duration("http-head-timeout", default: headTimeout, in: sensible)
        bodyTimeout = try reader.duration("http-body-timeout", default: bodyTimeout, in: sensible)
        writeTimeout = try reader.duration("http-write-timeout", default: writeTimeout, in: sensible)
    }
}
