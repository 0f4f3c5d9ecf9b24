public import ArgumentParser

/// The flags that all services share; each wins over its environment variable.
public struct CommonOptions: ParsableArguments {
    @Option(help: "Address to listen on (HTTP_HOST, default 127.0.0.1).") var httpHost: String?
    @Option(help: "Port to listen on (HTTP_PORT; each service has a default of its own).")
    var httpPort: String?
    @Option(help: "This service's PostgreSQL database (DATABASE_URL, required).") var databaseURL: String?
    @Option(help: "RabbitMQ, amqp: or amqps: (AMQP_URL, required).") var amqpURL: String?
    @Option(help: "Redis (REDIS_URL, required).") var redisURL: String?
    @Option(help: "trace, debug, info, notice, warning, error or critical (LOG_LEVEL, default info).")
    var logLevel: String?
    @Option(help: "Connections open at once; beyond it 503 (HTTP_MAX_CONNECTIONS, default 4096).")
    var httpMaxConnections: String?
    @Option(help: "Bytes of all request bodies held at once; beyond it 503 (HTTP_BODY_BUDGET, default 33554432).")
    var httpBodyBudget: String?
    @Option(help: "How long a connection may be open without a request (HTTP_IDLE_TIMEOUT, default 75s).")
    var httpIdleTimeout: String?
    @Option(help: "How long a request's head may take to arrive (HTTP_HEAD_TIMEOUT, default 10s).")
    var httpHeadTimeout: String?
    @Option(help: "How long a request's body may take to arrive (HTTP_BODY_TIMEOUT, default 30s).")
    var httpBodyTimeout: String?
    @Option(help: "How long a client may take nothing of its answer (HTTP_WRITE_TIMEOUT, default 30s).")
    var httpWriteTimeout: String?
    @Flag(help: "Start nothing: ask the service that runs at this address and port whether it is ready; exit 0 or 1.")
    var health = false

    /// Needed by the parser.
    public init() {}

    /// What was given, by flag name.
    var flags: [String: String?] {
        [
            "http-host": httpHost, "http-port": httpPort, "database-url": databaseURL, "amqp-url": amqpURL,
            "redis-url": redisURL, "log-level": logLevel, "http-max-connections": httpMaxConnections,
            "http-body-budget": httpBodyBudget,
            "http-idle-timeout": httpIdleTimeout, "http-head-timeout": httpHeadTimeout,
            "http-body-timeout": httpBodyTimeout, "http-write-timeout": httpWriteTimeout,
        ]
    }
}
