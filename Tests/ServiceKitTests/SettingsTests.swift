import ArgumentParser
import Logging
import Testing

@testable import ServiceKit

@Suite("Settings")
struct SettingsTests {
    static let required = [
        "DATABASE_URL": "postgresql://shop:hunter2@db/shop", "AMQP_URL": "amqp://mq", "REDIS_URL": "redis://cache",
        "SETTLE_TOKEN": "s3cret",
    ]

    private static func settings(
        _ environment: [String: String] = [:], flags: [String: String?] = [:]
    ) throws(SettingsError) -> Settings {
        let reader = SettingsReader(flags: flags, environment: required.merging(environment) { $1 })
        return try Settings(reader, defaultPort: 8081)
    }

    @Test("what is required is enough")
    func defaults() throws {
        let settings = try Self.settings()
        #expect(settings.httpHost == "127.0.0.1")
        #expect(settings.httpPort == 8081)
        #expect(settings.databaseURL == "postgresql://shop:hunter2@db/shop")
        #expect(settings.amqpURL == "amqp://mq")
        #expect(settings.redisURL == "redis://cache")
        #expect(settings.orderURL == "http://127.0.0.1:8080")
        #expect(settings.stockURL == "http://127.0.0.1:8081")
        #expect(settings.pointsURL == "http://127.0.0.1:8082")
        #expect(settings.token == "s3cret")
        #expect(settings.logLevel == .info)
        #expect(settings.httpLimits.maxConnections == 4096)
        #expect(settings.httpLimits.idleTimeout == .seconds(75))
    }

    @Test("the limits of the HTTP side, each by its variable")
    func httpLimits() throws {
        let limits = try Self.settings([
            "HTTP_MAX_CONNECTIONS": "7", "HTTP_BODY_BUDGET": "2000000", "HTTP_IDLE_TIMEOUT": "1m",
            "HTTP_HEAD_TIMEOUT": "2s", "HTTP_BODY_TIMEOUT": "3s", "HTTP_WRITE_TIMEOUT": "4s",
        ]).httpLimits
        #expect(limits.maxConnections == 7)
        #expect(limits.bodyBudget == 2_000_000)
        #expect(limits.idleTimeout == .seconds(60))
        #expect(limits.headTimeout == .seconds(2))
        #expect(limits.bodyTimeout == .seconds(3))
        #expect(limits.writeTimeout == .seconds(4))
        // Each flag of the command line has a setting that reads it.
        let given = try CommonOptions.parse(["--http-head-timeout", "9s", "--http-max-connections", "8"])
        let flagged = try Self.settings(flags: given.flags).httpLimits
        #expect(flagged.headTimeout == .seconds(9))
        #expect(flagged.maxConnections == 8)
    }

    @Test("a flag wins over the environment, and empty counts as not set")
    func precedence() throws {
        let settings = try Self.settings(
            ["HTTP_PORT": "9000", "HTTP_HOST": "0.0.0.0", "LOG_LEVEL": "", "STOCK_URL": "https://stock.example/"],
            flags: ["http-port": "9001", "http-host": "", "order-url": nil])
        #expect(settings.httpPort == 9001)
        #expect(settings.httpHost == "0.0.0.0")
        #expect(settings.logLevel == .info)
        #expect(settings.stockURL == "https://stock.example")
    }

    @Test("what is missing is named", arguments: ["DATABASE_URL", "AMQP_URL", "REDIS_URL", "SETTLE_TOKEN"])
    func missing(name: String) {
        let error = #expect(throws: SettingsError.self) { try Self.settings([name: ""]) }
        #expect(error?.name == name)
        #expect(error?.description.contains("required") == true)
        #expect(error?.description.contains("\n") == false)
    }

    @Test("the token has no flag to name")
    func tokenError() {
        let error = #expect(throws: SettingsError.self) { try Self.settings(["SETTLE_TOKEN": "with a space"]) }
        #expect(error?.description.contains("--") == false)
        #expect(error?.description.contains("with a space") == false)
    }

    @Test(
        "what is wrong is named, without its value",
        arguments: [
            ("HTTP_PORT", "hunter2"), ("HTTP_PORT", "-1"), ("HTTP_PORT", "65536"), ("HTTP_PORT", "80.5"),
            ("LOG_LEVEL", "hunter2"), ("ORDER_URL", "hunter2"), ("STOCK_URL", "ftp://hunter2"),
            ("POINTS_URL", "http://"), ("HTTP_MAX_CONNECTIONS", "0"), ("HTTP_BODY_BUDGET", "1000"),
            ("HTTP_IDLE_TIMEOUT", "0s"), ("HTTP_WRITE_TIMEOUT", "30"),
        ])
    func wrong(name: String, value: String) {
        let error = #expect(throws: SettingsError.self) { try Self.settings([name: value]) }
        #expect(error?.name == name)
        #expect(error?.description.contains("hunter2") == false)
    }
}

@Suite("Settings of a service's own")
struct SettingsReaderTests {
    private let reader = SettingsReader(
        flags: ["task-lease": "250ms"],
        environment: ["MAX_ATTEMPTS": "7", "DRY_RUN": "Yes", "TASK_LEASE": "9h", "BAD": "5 s"])

    @Test("each kind")
    func kinds() throws {
        #expect(try reader.duration("task-lease") == .milliseconds(250))
        #expect(try reader.integer("max-attempts") == 7)
        #expect(try reader.boolean("dry-run"))
        #expect(try reader.string("bad") == "5 s")
        #expect(reader.optionalString("nothing") == nil)
    }

    @Test("defaults")
    func defaults() throws {
        #expect(try reader.duration("other", default: .seconds(5)) == .seconds(5))
        #expect(try reader.integer("other", default: 3) == 3)
        #expect(try reader.boolean("other", default: false) == false)
        #expect(throws: SettingsError("OTHER", "is required and not set")) { try reader.string("other") }
    }

    @Test("wrong ones say what is expected")
    func wrong() {
        #expect(throws: SettingsError.self) { try reader.duration("bad") }
        #expect(throws: SettingsError.self) { try reader.boolean("bad") }
        let range = #expect(throws: SettingsError.self) { try reader.integer("max-attempts", in: 1...5) }
        #expect(range?.description == "MAX_ATTEMPTS (--max-attempts): a whole number from 1 to 5 is expected")
        let long = #expect(throws: SettingsError.self) {
            try reader.duration("task-lease", in: .seconds(1) ... .seconds(90))
        }
        #expect(
            long?.description
                == "TASK_LEASE (--task-lease): a duration such as 250ms, 5s, 10m or 1h, from 1s to 90s, is expected")
    }

    @Test(
        "durations",
        arguments: [
            ("250ms", Duration.milliseconds(250)), ("5s", .seconds(5)), ("10m", .seconds(600)), ("1h", .seconds(3600)),
            ("0s", .zero),
        ] as [(String, Duration)])
    func duration(text: String, expected: Duration) throws {
        #expect(try SettingsReader(flags: ["d": text], environment: [:]).duration("d") == expected)
    }

    @Test(
        "no durations",
        arguments: ["5", "s", "-5s", "1.5s", "5 s", "5S", "99999999999999999999s", "9223372036854775807h", "٥s"])
    func noDuration(text: String) {
        #expect(throws: SettingsError.self) { try SettingsReader(flags: ["d": text], environment: [:]).duration("d") }
    }
}
