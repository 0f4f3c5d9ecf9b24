import Foundation

/// Where the built services and the private servers are. Without all of it the suite is skipped.
struct Testbed: Sendable {
    static let current = Testbed(ProcessInfo.processInfo.environment)

    /// The folder of the executables.
    let bin: URL
    /// The folder of `scripts/servers`.
    let serversFolder: String
    /// As superuser.
    let postgresURL: String
    /// As administrator.
    let amqpURL: String
    /// As the services.
    let amqpURLs: [Role: String]
    /// As administrator.
    let redisURL: String
    /// As the services.
    let redisURLs: [Role: String]

    private init?(_ environment: [String: String]) {
        guard
            let bin = environment["SETTLE_TEST_BIN"], let servers = environment["SETTLE_TEST_SERVERS_DIR"],
            let postgres = environment["SETTLE_TEST_POSTGRES_URL"], let amqp = environment["SETTLE_TEST_AMQP_URL"],
            let redis = environment["SETTLE_TEST_REDIS_URL"]
        else { return nil }
        self.bin = URL(fileURLWithPath: bin)
        serversFolder = servers
        func urls(_ suffix: String) -> [Role: String] {
            Dictionary(
                uniqueKeysWithValues: Role.everyone.compactMap { role in
                    environment["SETTLE_TEST_\(role.databaseName.uppercased())_\(suffix)"].map { (role, $0) }
                })
        }
        (amqpURLs, redisURLs) = (urls("AMQP_URL"), urls("REDIS_URL"))
        (postgresURL, amqpURL, redisURL) = (postgres, amqp, redis)
    }

    /// The root of the checkout.
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
}
