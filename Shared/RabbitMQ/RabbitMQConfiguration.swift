public import Base
import Foundation

/// Where the broker is and how patient its clients are.
public struct RabbitMQConfiguration: Sendable {
    /// The user, the password, host, port, virtual host and TLS material, from the URL.
    let endpoint: BrokerEndpoint

    /// How often both sides show that they live; whole seconds, at least one. A peer silent for twice as long is gone.
    public var heartbeat: Duration
    /// How the connection is called in the broker's own lists.
    public var connectionName = "settle"
    /// For the TCP connection and the TLS handshake.
    public var connectTimeout: Duration
    /// For the login and for each declaration.
    public var operationTimeout: Duration = .seconds(10)
    /// The longest that a message waits to be sent, and then for its confirm; then it is `.notSent` or `.lost`.
    public var confirmTimeout: Duration = .seconds(30)
    /// The longest that a graceful shutdown waits for confirms, or for handlers.
    public var shutdownTimeout: Duration = .seconds(10)
    /// The biggest body, in bytes, either way.
    public var maxMessage = 16 * 1024 * 1024
    /// The most messages that wait to be sent; more are `.notSent` at once.
    public var maxWaiting = 100_000
    /// Between tries to connect, and between tries of a handler that fails.
    public var backoff = Backoff(initial: .milliseconds(100), cap: .seconds(10))

    /// Takes an AMQP URI: `amqp[s]://[user[:password]@]host[:port][/vhost][?cacertfile=…&certfile=…&keyfile=…&
    /// verify=verify_peer|verify_none&heartbeat=seconds&connection_timeout=milliseconds]`.
    ///
    /// See the "RabbitMQ URI Specification" and "RabbitMQ URI Query Parameters". No virtual host, or an empty one,
    /// is `/`. With `amqps` the broker's certificate and host name are verified against `cacertfile`, or else the
    /// system's, unless `verify=verify_none` says otherwise.
    public init(url: String) throws(RabbitMQConfigurationError) {
        let parsed = try AMQPURL(url)
        endpoint = parsed.endpoint
        heartbeat = parsed.heartbeat ?? .seconds(10)
        connectTimeout = parsed.connectTimeout ?? .seconds(5)
    }
}

extension RabbitMQConfiguration: CustomStringConvertible, CustomDebugStringConvertible {
    /// The URL without the password.
    public var description: String { endpoint.description }
    /// The URL without the password.
    public var debugDescription: String { description }
}

/// A broker URL that cannot be used; one line, and never the password.
public struct RabbitMQConfigurationError: Error, Equatable, CustomStringConvertible {
    /// What is wrong with it.
    public let description: String
}
