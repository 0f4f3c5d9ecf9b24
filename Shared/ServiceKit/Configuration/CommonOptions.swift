public import ArgumentParser

/// The flags that all services share; each wins over its environment variable.
public struct CommonOptions: ParsableArguments {
    @Option(help: "Address to listen on (HTTP_HOST, default 127.0.0.1).") var httpHost: String?
    @Option(help: "Port to listen on (HTTP_PORT; defaults: order 8080, stock 8081, user-points 8082).")
    var httpPort: String?
    @Option(help: "This service's PostgreSQL database (DATABASE_URL, required).") var databaseURL: String?
    @Option(help: "RabbitMQ, amqp: or amqps: (AMQP_URL, required).") var amqpURL: String?
    @Option(help: "Redis (REDIS_URL, required).") var redisURL: String?
    @Option(help: "The order service (ORDER_URL, default http://127.0.0.1:8080).") var orderURL: String?
    @Option(help: "The stock service (STOCK_URL, default http://127.0.0.1:8081).") var stockURL: String?
    @Option(help: "The user-points service (POINTS_URL, default http://127.0.0.1:8082).") var pointsURL: String?
    @Option(help: "trace, debug, info, notice, warning, error or critical (LOG_LEVEL, default info).")
    var logLevel: String?
    @Flag(help: "Start nothing: ask the service that runs at this address and port whether it is ready; exit 0 or 1.")
    var health = false

    /// Needed by the parser.
    public init() {}

    /// What was given, by flag name.
    var flags: [String: String?] {
        [
            "http-host": httpHost, "http-port": httpPort, "database-url": databaseURL, "amqp-url": amqpURL,
            "redis-url": redisURL, "order-url": orderURL, "stock-url": stockURL, "points-url": pointsURL,
            "log-level": logLevel,
        ]
    }
}
