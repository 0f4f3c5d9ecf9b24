import Foundation
import Testing

@testable import SettlePostgres

@Suite("Database URLs")
struct ConfigurationTests {
    @Test(
        "wrong ones are refused in one line that does not hold the password",
        arguments: [
            "", "mysql://u:s3cret@h/d", "host=h password=s3cret", "postgres://u:s3cret@h:port/d",
            "postgres://u:s3cret/x@h/d", "postgres://u:s3cret%zz@h/d", "postgres://u:s3cret@h/d?nonsense=1",
            "postgres://u@h/d?password=s3cret%zz", "postgres://u:s3cret@h:99999/d", "postgres://u:s3cret@[h/d",
            "postgres://u:s3\0cret@h/d",
        ])
    func wrong(url: String) throws {
        let error = try #require(throws: PostgresConfigurationError.self) { try PostgresConfiguration(url: url) }
        #expect(!error.description.contains("cret") && !error.description.contains("\n"))
        #expect(error.description.contains("URL"))
    }

    @Test(
        "libpq's forms are taken",
        arguments: [
            "postgres://u@h/d", "postgresql://u:p%40ss@h1:1,h2:2/d?sslmode=verify-full&target_session_attrs=any",
            "postgres:///d?host=/run/postgresql", "postgresql://[::1]:5432/d", "postgres://",
        ])
    func right(url: String) throws {
        _ = try PostgresConfiguration(url: url)
    }

    @Test("it prints itself without the password")
    func description() throws {
        let configuration = try PostgresConfiguration(url: "postgres://user:s3cret@host:5433/db?sslmode=require")
        #expect("\(configuration)" == "host=host port=5433 dbname=db user=user sslmode=require")
        #expect(!String(reflecting: configuration).contains("s3cret"))
        #expect(!String(reflecting: configuration.settings).contains("s3cret"))
    }

    @Test("limits reach the server, the URL's own come later, and texts keep their form")
    func parameters() throws {
        var configuration = try PostgresConfiguration(
            url: "postgres://h/d?connect_timeout=9&application_name=mine&options=-c%20statement_timeout%3D7")
        configuration.statementTimeout = .milliseconds(1500)
        configuration.lockTimeout = .nanoseconds(1)
        let parameters = configuration.settings.parameters(for: configuration)
        #expect(parameters["connect_timeout"] == "9" && parameters["application_name"] == "mine")
        let options = try #require(parameters["options"])
        let own = try #require(options.range(of: "-c statement_timeout=7"))
        let default_ = try #require(options.range(of: "-c statement_timeout=1500"))
        let form = try #require(options.range(of: "-c DateStyle=ISO"))
        #expect(default_.lowerBound < own.lowerBound && own.lowerBound < form.lowerBound)
        #expect(options.contains("lock_timeout=1 "), "a limit below a millisecond is not no limit")
    }

    @Test("plans by index reach the server, and the URL's own settings come later")
    func plans() throws {
        var configuration = try PostgresConfiguration(url: "postgres://h/d?options=-c%20enable_seqscan%3Don")
        #expect(configuration.settings.parameters(for: configuration)["options"]?.contains("plan_cache_mode") == false)
        configuration.plans = .byIndex
        let options = try #require(configuration.settings.parameters(for: configuration)["options"])
        #expect(options.contains("-c plan_cache_mode=force_generic_plan ") && options.contains("-c jit=off "))
        let own = try #require(options.range(of: "-c enable_seqscan=on"))
        let default_ = try #require(options.range(of: "-c enable_seqscan=off"))
        #expect(default_.lowerBound < own.lowerBound)
    }
}
