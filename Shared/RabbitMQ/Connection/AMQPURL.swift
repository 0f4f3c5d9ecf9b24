import SettleCore
import Foundation

/// An AMQP URI taken apart.
struct AMQPURL {
    private(set) var endpoint: BrokerEndpoint
    private(set) var heartbeat: Duration?
    private(set) var connectTimeout: Duration?

    init(_ url: String) throws(RabbitMQConfigurationError) {
        guard let parts = URLComponents(string: url), let scheme = parts.scheme?.lowercased() else {
            throw Self.error("it is not a URL")
        }
        guard PercentEncoding.isValid(url) else { throw Self.error("a percent sign is not followed by two digits") }
        guard parts.fragment == nil else { throw Self.error("it has a fragment (write a number sign as %23)") }
        guard scheme == "amqp" || scheme == "amqps" else {
            throw Self.error("its scheme is \"\(scheme)\", not amqp or amqps")
        }
        guard let host = parts.host, !host.isEmpty else { throw Self.error("it names no host") }
        let port = parts.port ?? (scheme == "amqps" ? 5671 : 5672)
        guard (1...65535).contains(port) else { throw Self.error("its port is not 1 to 65535") }
        endpoint = BrokerEndpoint(
            host: host.trimmingCharacters(in: CharacterSet(charactersIn: "[]")), port: port,
            user: parts.user ?? "guest", password: parts.password ?? "guest",
            virtualHost: try Self.virtualHost(parts.percentEncodedPath), tls: scheme == "amqps" ? BrokerTLS() : nil)
        for item in parts.queryItems ?? [] { try take(item) }
        try check()
    }

    private static func virtualHost(_ encodedPath: String) throws(RabbitMQConfigurationError) -> String {
        let segment = encodedPath.dropFirst()
        if segment.isEmpty { return "/" }
        guard !segment.contains("/"), let name = String(segment).removingPercentEncoding else {
            throw error("its virtual host is not one path segment (write a slash as %2F)")
        }
        return name
    }

    private mutating func take(_ item: URLQueryItem) throws(RabbitMQConfigurationError) {
        let value = item.value ?? ""
        switch item.name {
        case "heartbeat":
            guard let seconds = Int(value), (1...3600).contains(seconds) else {
                throw Self.error("heartbeat is not 1 to 3600 seconds")
            }
            heartbeat = .seconds(seconds)
        case "connection_timeout":
            guard let milliseconds = Int(value), (1...3_600_000).contains(milliseconds) else {
                throw Self.error("connection_timeout is not 1 to 3600000 milliseconds")
            }
            connectTimeout = .milliseconds(milliseconds)
        case "cacertfile", "certfile", "keyfile", "verify": try takeTLS(item.name, value)
        default: throw Self.error("its parameter \"\(item.name)\" is not known")
        }
    }

    /// A parameter that asks for TLS must not go unheard on a plain connection (`TLSPolicy`).
    private mutating func takeTLS(_ name: String, _ value: String) throws(RabbitMQConfigurationError) {
        guard endpoint.tls != nil else { throw Self.error("\(name) needs TLS, and amqp: is plain text; write amqps:") }
        guard !value.isEmpty else { throw Self.error("\(name) has no value") }
        guard name == "verify" || FileManager.default.isReadableFile(atPath: value) else {
            throw Self.error("\(name) names no file that can be read")
        }
        switch name {
        case "cacertfile": endpoint.tls?.authorities = value
        case "certfile": endpoint.tls?.certificate = value
        case "keyfile": endpoint.tls?.key = value
        default:
            guard value == "verify_peer" || value == "verify_none" else {
                throw Self.error("verify is neither verify_peer nor verify_none")
            }
            endpoint.tls?.verifiesPeer = value == "verify_peer"
        }
    }

    private func check() throws(RabbitMQConfigurationError) {
        let names = [endpoint.host, endpoint.user, endpoint.password, endpoint.virtualHost]
        guard names.allSatisfy({ !$0.utf8.contains(0) && $0.utf8.count <= 255 }) else {
            throw Self.error("a part of it is longer than 255 bytes or has a zero byte")
        }
        if let tls = endpoint.tls, (tls.certificate == nil) != (tls.key == nil) {
            throw Self.error("certfile and keyfile belong together")
        }
    }

    private static func error(_ text: String) -> RabbitMQConfigurationError {
        RabbitMQConfigurationError(description: "the RabbitMQ URL cannot be used: \(text)")
    }
}
