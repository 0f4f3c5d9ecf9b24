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

    private static let sensible = Duration.milliseconds(100)...Duration.seconds(24 * 3600)

    /// What an operator may set.
    static let rows: [SettingRow<HTTPLimits>] = [
        .integer(
            "http-max-connections", \.maxConnections, in: 1...1_000_000, "Connections open at once; beyond it 503."),
        // Less than one body would refuse what the limit of a body allows.
        .integer(
            "http-body-budget", \.bodyBudget, in: maxBodyBytes...(1 << 40),
            "Bytes of all request bodies held at once; beyond it 503."),
        .duration(
            "http-idle-timeout", \.idleTimeout, in: sensible, "How long a connection may be open without a request."),
        .duration("http-head-timeout", \.headTimeout, in: sensible, "How long a request's head may take to arrive."),
        .duration("http-body-timeout", \.bodyTimeout, in: sensible, "How long a request's body may take to arrive."),
        .duration(
            "http-write-timeout", \.writeTimeout, in: sensible, "How long a client may take nothing of its answer."),
    ]
}
