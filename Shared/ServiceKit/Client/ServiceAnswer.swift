/// What a peer answered, of any status.
public struct ServiceAnswer: Sendable {
    /// The HTTP status.
    public let status: Int
    /// As they came.
    public let headers: [(name: String, value: String)]
    /// Bounded by the options of ``OutboundHTTP``.
    public let body: [UInt8]

    package init(status: Int, headers: [(name: String, value: String)], body: [UInt8]) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// The first header of that name, whatever its case.
    public func header(_ name: String) -> String? {
        let wanted = name.lowercased()
        return headers.first { $0.name.lowercased() == wanted }?.value
    }
}
