import SettleRedis
import Testing

@Suite("Redis commands and replies")
struct RedisCommandTests {
    @Test("SET always expires")
    func set() {
        let command = RedisCommand.set("k", "v", onlyIfAbsent: true, expiresAfter: .seconds(2))
        #expect(command.arguments == ["SET", "k", "v", "NX", "PX", "2000"])
        let plain = RedisCommand.set("k", "v", onlyIfAbsent: false, expiresAfter: .milliseconds(1))
        #expect(plain.arguments == ["SET", "k", "v", "PX", "1"])
    }

    @Test("an expiry below a millisecond is one: Redis refuses zero")
    func shortExpiry() {
        let command = RedisCommand.set("k", "v", onlyIfAbsent: false, expiresAfter: .microseconds(10))
        #expect(command.arguments.last == "1")
    }

    @Test("the text of a reply")
    func text() {
        #expect(RedisReply.status("OK").text == "OK")
        #expect(RedisReply.bytes(Array("é".utf8)).text == "é")
        #expect(RedisReply.integer(1).text == nil)
        #expect(RedisReply.null.text == nil)
        #expect(RedisReply.error("ERR").text == nil)
    }
}
