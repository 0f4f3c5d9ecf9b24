public import SettleCore
import Foundation

/// Where the broker is and how patient its clients are.
public struct RabbitMQConfiguration: Sendable {
    /// The user, the password, host, port, virtual host and TLS material, from the URL.
    let endpoint: BrokerEndpoint

    /// How often both sides show that they live; whole seconds, at least one. A peer silent for twice as long is gone.
    public var heartbeat: Duration
    /// How the connection is called in the broker's own lists, and the label `name` of what it counts. Two publishers or
    /// two consumers of one process want two names.
    public var connectionName = "settle"
    /// For the TCP connection and the TLS handshake.
    public var connectTimeout: Duration
    /// For the login and for each declaration.
    public var operationTimeout: Duration = .seconds(10)
    /// The longest that a message waits to be sent, and then for its confirm; then it is `.notSent` or `.lost`.
    public var confirmTimeout: Duration = .seconds(30)
    /// The longest that a graceful shutdown waits for confirms, or for handlers.
    public var shutdownTimeout: Duration = .seconds(10)
    /// The biggest body to publish, in bytes.
    public var maxMessage = 16 * 1024 * 1024
    /// The most messages that wait to be sent; more are `.notSent` at once.
    public var maxWaiting = 100_000
    /// The most bytes of messages that wait to be sent or to be confirmed; more are `.lost` at once. One call that has
    /// more by itself is taken while there is nothing else.
    public var maxWaitingBytes = 64 * 1024 * 1024
    /// The biggest body that a consumer takes into memory, in bytes; of a bigger one only the length arrives
    /// (``Delivery/discardedBytes``).
    public var maxDelivery = 1024 * 1024 + 64 * 1024
    /// The most bytes of unacknowledged deliveries that one subscription holds; those beyond it are discarded as they
    /// come, and given back to the queue when the ones before them are done.
    ///
    /// A delivery is given back at most `prefetch × maxDelivery / maxHeldBytes` times, and quorum queues drop a message
    /// after 20: so the prefetch is lowered where that would be more than 16.
    public var maxHeldBytes = 64 * 1024 * 1024
    /// The most bytes that a handler gets at a time, or else one delivery.
    public var maxBatchBytes = 8 * 1024 * 1024
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
