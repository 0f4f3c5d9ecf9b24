import SettleRedis
import Testing

@Suite("Redis configuration")
struct RedisConfigurationTests {
    @Test("all parts of a URL")
    func full() throws {
        let configuration = try RedisConfiguration(url: "redis://app:p%40ss%2Fword@cache.example:7000/3")
        #expect(configuration.host == "cache.example")
        #expect(configuration.port == 7000)
        #expect(configuration.user == "app")
        #expect(configuration.password == "p@ss/word")
        #expect(configuration.database == 3)
    }

    @Test("what may be left out")
    func defaults() throws {
        let configuration = try RedisConfiguration(url: "redis://localhost")
        #expect(configuration.port == 6379)
        #expect(configuration.user == nil)
        #expect(configuration.password == nil)
        #expect(configuration.database == 0)
        #expect(try RedisConfiguration(url: "redis://localhost/").database == 0)
        #expect(try RedisConfiguration(url: "redis://:secret@localhost").password == "secret")
        #expect(try RedisConfiguration(url: "redis://[::1]:6380/1").host == "::1")
    }

    @Test(
        "a URL that cannot be used is refused without repeating the password",
        arguments: [
            "", "localhost:6379", "http://:hunter2@localhost", "rediss://:hunter2@localhost", "redis://", "redis:///1",
            "redis://:hunter2@localhost:0", "redis://:hunter2@localhost:99999", "redis://:hunter2@localhost/one",
            "redis://:hunter2@localhost/-1", "redis://:hunter2@localhost//1", "redis://:hunter2@localhost/0?db=1",
            "redis://user@localhost",
        ])
    func refused(url: String) {
        let error = #expect(throws: RedisConfigurationError.self) { try RedisConfiguration(url: url) }
        #expect(error?.description.contains("hunter2") == false)
    }

    @Test(
        "TLS is refused, however it is asked for: never weaker than that",
        arguments: [
            ("rediss://localhost", "rediss:"), ("REDISS://localhost", "rediss:"),
            ("redis://localhost?ssl=true", "nothing"),
            ("redis://localhost/0?ssl_cert_reqs=required", "nothing"), ("redis://localhost/0#insecure", "nothing"),
        ])
    func tls(url: String, word: String) {
        let error = #expect(throws: RedisConfigurationError.self) { try RedisConfiguration(url: url) }
        #expect(error?.description.contains(word) == true)
    }
}
