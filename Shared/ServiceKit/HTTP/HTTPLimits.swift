/// How much one process takes on at once.
public struct HTTPLimits: Sendable {
    /// A longer body is answered 413.
    public static let maxBodyBytes = 1 << 20

    /// Requests in flight beyond this are answered 503 with `Retry-After`.
    public var maxInFlight: Int

    /// Paths that begin with one of these are let in all the same: they free what the requests in flight wait for.
    public var alwaysAdmitted = ["/transactions/"]

    /// 1,024 requests in flight by default.
    public init(maxInFlight: Int = 1024) { self.maxInFlight = maxInFlight }
}
