import Foundation
import Logging
import SettleHTTPTestSupport
import Testing

@testable import SettleServiceKit

@Suite("Settings")
struct SettingsTests {
    static let order = PeerService("order", port: 8080)
    static let stock = PeerService("stock", port: 8081)
    static let points = PeerService("user-points", settings: "points", port: 8082)

    private static func settings(
        _ environment: [String: String] = [:], flags: [String: String] = [:]
    ) throws(SettingsError) -> Settings {
        let reader = SettingsReader(flags: flags, environment: TestService.required.merging(environment) { $1 })
        return try Settings(reader, defaultPort: 8081, peers: [order, stock, points])
    }

    @Test("what is required is enough")
    func defaults() throws {
        let settings = try Self.settings()
        #expect(settings.listenAddress.host == "127.0.0.1")
        #expect(settings.listenAddress.port == 8081)
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
    }

    @Test("a flag wins over the environment, and empty counts as not set")
    func precedence() throws {
        let settings = try Self.settings(
            ["HTTP_PORT": "9000", "HTTP_HOST": "0.0.0.0", "LOG_LEVEL": "", "STOCK_URL": "https://stock.example/"],
            flags: ["http-port": "9001", "http-host": ""])
        #expect(settings.listenAddress.port == 9001)
        #expect(settings.listenAddress.host == "0.0.0.0")
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
        #expect(error?.description.contains("with a space") == false)
        let settings = Settings.table(port: 1, peers: [Self.order, Self.stock, Self.points]).settings
        #expect(error?.line(among: settings).contains("--") == false)
        #expect(error?.line(among: settings) == error?.description)
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
    private struct Values {
        var text = ""
        var count = 3
    }

    private static let secret = SettingsTable(Values(), [.text("secret", \.text, form: "a text", "Of a test.")])

    private func read(_ content: [UInt8], _ more: [String: String] = [:]) throws -> String {
        let file = FileManager.default.temporaryDirectory.appending(path: "settle-setting-\(UUID())")
        try Data(content).write(to: file)
        defer { #expect(throws: Never.self) { try FileManager.default.removeItem(at: file) } }
        let environment = ["SECRET_FILE": file.path].merging(more) { $1 }
        return try Self.secret.read(SettingsReader(environment: environment)).text
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
        let table = SettingsTable(Values(), [.integer("count", \.count, in: 0...9, "Of a test.")])
        #expect(try table.read(SettingsReader(environment: environment)).count == 3)
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
            let error = #expect(throws: SettingsError.self) { try Self.secret.read(reader) }
            #expect(error?.description == "SECRET_FILE: a file that can be read is expected")
        }
    }
}
