import ArgumentParser
import Foundation
import Logging
import SettleTestSupport
import Testing

@testable import SettleServiceKit

@Suite("Settings")
struct SettingsTests {
    static let order = PeerService("order", port: 8080)
    static let stock = PeerService("stock", port: 8081)
    static let points = PeerService("user-points", settings: "points", port: 8082)

    private static func settings(
        _ environment: [String: String] = [:], flags: [String: String?] = [:]
    ) throws(SettingsError) -> Settings {
        let reader = SettingsReader(flags: flags, environment: TestService.required.merging(environment) { $1 })
        return try Settings(reader, defaultPort: 8081, peers: [order, stock, points])
    }

    @Test("what is required is enough")
    func defaults() throws {
        let settings = try Self.settings()
        #expect(settings.httpHost == "127.0.0.1")
        #expect(settings.httpPort == 8081)
        #expect(settings.databaseURL == "postgresql://shop:hunter2@db/shop")
        #expect(settings.amqpURL == "amqp://mq")
        #expect(settings.redisURL == "redis://cache")
        #expect(try settings.url(of: Self.order).description == "http://127.0.0.1:8080")
        #expect(try settings.url(of: Self.stock).description == "http://127.0.0.1:8081")
        #expect(try settings.url(of: Self.points).description == "http://127.0.0.1:8082")
        #expect(throws: SettingsError.self) { try settings.url(of: PeerService("nobody", port: 1)) }
        #expect(settings.token == Tokens("s3cret-0123456789"))
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
        #expect(try settings.url(of: Self.stock).description == "https://stock.example")
    }

    @Test("what is missing is named", arguments: ["DATABASE_URL", "AMQP_URL", "REDIS_URL", "SETTLE_TOKEN"])
    func missing(name: String) {
        let error = #expect(throws: SettingsError.self) { try Self.settings([name: ""]) }
        #expect(error?.name == name)
        #expect(error?.description.contains("required") == true)
        #expect(error?.description.contains("\n") == false)
    }

    @Test("tokens have no flag to name", arguments: ["SETTLE_TOKEN", "SETTLE_TOKENS_ACCEPTED", "STOCK_TOKEN"])
    func tokenError(name: String) {
        let error = #expect(throws: SettingsError.self) { try Self.settings([name: "with a space 0123456789"]) }
        #expect(error?.name == name)
        #expect(error?.description.contains("--") == false)
        #expect(error?.description.contains("with a space") == false)
    }

    @Test(
        "what is wrong is named, without its value",
        arguments: [
            ("HTTP_PORT", "hunter2"), ("HTTP_PORT", "-1"), ("HTTP_PORT", "65536"), ("HTTP_PORT", "80.5"),
            ("HTTP_PORT", "0"), ("HTTP_PORT", "+80"), ("HTTP_PORT", " 80"), ("HTTP_PORT", "0x50"), ("HTTP_PORT", "８０"),
            ("SETTLE_TOKEN", "hunter2-0123456"), ("SETTLE_TOKEN", String(repeating: "hunter2-", count: 65)),
            ("SETTLE_TOKEN", "hunter2-0123456\t"), ("SETTLE_TOKEN", "hunter2-0123456é"),
            ("SETTLE_TOKENS_ACCEPTED", "hunter2-01234567,short"), ("SETTLE_TOKENS_ACCEPTED", "hunter2-01234567,"),
            ("SETTLE_TOKENS_ACCEPTED", "hunter2-01234567, hunter2-01234567"),
            ("SETTLE_TOKENS_ACCEPTED", Array(repeating: "hunter2-01234567", count: 17).joined(separator: ",")),
            ("ORDER_TOKEN", "hunter2"), ("STOCK_TOKEN", "hunter2"), ("POINTS_TOKEN", "hunter2"),
            ("LOG_LEVEL", "hunter2"), ("ORDER_URL", "hunter2"), ("STOCK_URL", "ftp://hunter2"),
            ("POINTS_URL", "http://"), ("ORDER_URL", "http://hunter2:65536"), ("ORDER_URL", "http://hunter2:0"),
            ("ORDER_URL", "http://me:hunter2@order"), ("STOCK_URL", "http://stock?hunter2"),
            ("STOCK_URL", "http://hunter2 stock"),
            ("POINTS_URL", "http://"), ("HTTP_MAX_CONNECTIONS", "0"), ("HTTP_BODY_BUDGET", "1000"),
            ("HTTP_IDLE_TIMEOUT", "0s"), ("HTTP_WRITE_TIMEOUT", "30"),
        ])
    func wrong(name: String, value: String) {
        let error = #expect(throws: SettingsError.self) { try Self.settings([name: value]) }
        #expect(error?.name == name)
        #expect(error?.description.contains("hunter2") == false)
    }
}

@Suite("Tokens")
struct TokensTests {
    private static func tokens(_ environment: [String: String]) throws -> Tokens {
        let environment = TestService.required.merging(environment) { $1 }
        let peers = [SettingsTests.order, SettingsTests.stock, SettingsTests.points]
        return try Settings(SettingsReader(flags: [:], environment: environment), defaultPort: 8081, peers: peers).token
    }

    private static func sent(_ tokens: Tokens, to url: String) throws -> String {
        tokens.sent(to: try #require(BaseURL(url)))
    }

    @Test("one for all, when no other is given")
    func one() throws {
        let tokens = try Self.tokens([:])
        #expect(tokens.accepted == ["s3cret-0123456789"])
        for url in ["http://127.0.0.1:8080", "http://127.0.0.1:8081", "http://elsewhere"] {
            #expect(try Self.sent(tokens, to: url) == "s3cret-0123456789")
        }
    }

    @Test("further ones are accepted and not sent")
    func accepted() throws {
        let tokens = try Self.tokens(["SETTLE_TOKENS_ACCEPTED": "older-0123456789,newer-0123456789"])
        #expect(tokens.accepted == ["s3cret-0123456789", "older-0123456789", "newer-0123456789"])
        #expect(tokens.own == "s3cret-0123456789")
    }

    @Test("one for each that is called, sent there alone and not accepted")
    func pairs() throws {
        let tokens = try Self.tokens([
            "STOCK_URL": "http://stock:8081/", "STOCK_TOKEN": "to-stock-0123456789",
            "POINTS_TOKEN": "to-points-0123456789",
        ])
        #expect(try Self.sent(tokens, to: "http://stock:8081") == "to-stock-0123456789")
        #expect(try Self.sent(tokens, to: "http://127.0.0.1:8082") == "to-points-0123456789")
        #expect(try Self.sent(tokens, to: "http://127.0.0.1:8080") == "s3cret-0123456789")
        #expect(tokens.accepted == ["s3cret-0123456789"])
    }
}

@Suite("Settings in files")
struct SettingsFileTests {
    private func read(_ content: [UInt8], _ more: [String: String] = [:]) throws -> String {
        let file = FileManager.default.temporaryDirectory.appending(path: "settle-setting-\(UUID())")
        try Data(content).write(to: file)
        defer { #expect(throws: Never.self) { try FileManager.default.removeItem(at: file) } }
        let environment = ["SECRET_FILE": file.path].merging(more) { $1 }
        return try SettingsReader(flags: [:], environment: environment).string("secret", isSecret: true)
    }

    @Test("the file's content is the value, without the line feed at its end")
    func content() throws {
        #expect(try read(Array("hunter2".utf8)) == "hunter2")
        #expect(try read(Array("hunter2\r\n".utf8)) == "hunter2")
        #expect(try read(Array("hunter2\n".utf8), ["SECRET": "wins"]) == "wins")
    }

    @Test("a number may be in one too")
    func number() throws {
        let environment = ["COUNT_FILE": "/dev/null"]
        #expect(try SettingsReader(flags: [:], environment: environment).integer("count", default: 3) == 3)
    }

    @Test("an empty one counts as not set")
    func empty() {
        #expect(throws: SettingsError("SECRET", "is required and not set")) { try read(Array("\n".utf8)) }
    }

    @Test("what is no text, too long or not there is refused, by the variable that names the file")
    func refused() {
        for content in [[0xFF, 0xFE], Array(repeating: UInt8(ascii: "a"), count: 64 << 10 | 1)] as [[UInt8]] {
            let error = #expect(throws: SettingsError.self) { try read(content) }
            #expect(error?.name == "SECRET_FILE")
        }
        for path in ["/nowhere/at/all", "/tmp"] {
            let reader = SettingsReader(flags: [:], environment: ["SECRET_FILE": path])
            let error = #expect(throws: SettingsError.self) { try reader.string("secret") }
            #expect(error?.description == "SECRET_FILE: a file that can be read is expected")
        }
    }
}

@Suite("Settings of a service's own")
struct SettingsReaderTests {
    private let reader = SettingsReader(
        flags: ["task-lease": "250ms"],
        environment: ["MAX_ATTEMPTS": "7", "TASK_LEASE": "9h", "BAD": "5 s"])

    @Test("each kind")
    func kinds() throws {
        #expect(try reader.duration("task-lease") == .milliseconds(250))
        #expect(try reader.integer("max-attempts") == 7)
        #expect(try reader.string("bad") == "5 s")
        #expect(reader.optionalString("nothing") == nil)
    }

    @Test("defaults")
    func defaults() throws {
        #expect(try reader.duration("other", default: .seconds(5)) == .seconds(5))
        #expect(try reader.integer("other", default: 3) == 3)
        #expect(throws: SettingsError("OTHER", "is required and not set")) { try reader.string("other") }
    }

    @Test("wrong ones say what is expected")
    func wrong() {
        #expect(throws: SettingsError.self) { try reader.duration("bad") }
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
