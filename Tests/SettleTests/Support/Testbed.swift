import Foundation

/// Where the servers of the integration tests are.
enum Testbed {
    static let postgresURL = ProcessInfo.processInfo.environment["SETTLE_TEST_POSTGRES_URL"]
    static let amqpURL = ProcessInfo.processInfo.environment["SETTLE_TEST_AMQP_URL"]
    static let redisURL = ProcessInfo.processInfo.environment["SETTLE_TEST_REDIS_URL"]
}
