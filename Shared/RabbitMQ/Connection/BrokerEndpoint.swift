/// Where to connect to and as whom.
struct BrokerEndpoint: Sendable, Equatable, CustomStringConvertible {
    var host: String
    var port: Int
    var user: String
    var password: String
    var virtualHost: String
    /// Nil for plain TCP.
    var tls: BrokerTLS?

    var description: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return "\(tls == nil ? "amqp" : "amqps")://\(user)@\(name):\(port) vhost \(virtualHost)"
    }
}

/// Files in PEM, and whether the broker has to show who it is.
struct BrokerTLS: Sendable, Equatable {
    var authorities: String?
    var certificate: String?
    var key: String?
    var verifiesPeer = true
}
