import Testing

@testable import SettleRedis

@Suite("Redis outages")
struct RedisOutageTests {
    @Test("an outage is one line, and so is its end")
    func once() {
        var outage = RedisOutage()
        var lines = [outage.began(), outage.ended(afterServing: .seconds(60)).isWorthALine]
        #expect(lines == [true, true])
        lines = (0..<100).map { _ in outage.ended(afterServing: nil).isWorthALine }
        #expect(!lines.contains(true))
        lines = [outage.began(), outage.ended(afterServing: RedisOutage.goodSession).isWorthALine]
        #expect(lines == [true, true])
    }

    @Test("the delay grows to its cap, also when each try begins well")
    func flapping() {
        var outage = RedisOutage()
        var lines = 0
        var last: Duration = .zero
        for _ in 0..<64 {
            if outage.began() { lines += 1 }
            let end = outage.ended(afterServing: .milliseconds(1))
            if end.isWorthALine { lines += 1 }
            last = end.delay
        }
        #expect(last >= .seconds(1.5))
        #expect(lines == 14, "the first, the 2nd, the 4th … the 64th")
        last = outage.ended(afterServing: RedisOutage.goodSession).delay
        #expect(last <= .milliseconds(50))
    }

    @Test(
        "errors that say that Redis cannot be used",
        arguments: [
            "READONLY You can't write against a read only replica.",
            "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
            "LOADING Redis is loading the dataset in memory", "NOAUTH Authentication required.",
            "NOPERM this user has no permissions to run the 'set' command",
            "WRONGPASS invalid username-password pair or user is disabled.",
            "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
            "OOM command not allowed when used memory > 'maxmemory'.", "CLUSTERDOWN Hash slot not served",
            "MOVED 3999 127.0.0.1:6381", "NOREPLICAS Not enough good replicas to write.",
        ])
    func faults(text: String) {
        #expect(RedisReply.error(text).fault == text)
    }

    @Test(
        "errors of one command, and what is no error",
        arguments: [
            RedisReply.error("WRONGTYPE Operation against a key holding the wrong kind of value"),
            .error("ERR unknown command 'READONLY'"), .error("NOSCRIPT No matching script."), .error(""),
            .error("OOMPH"), .status("READONLY"), .bytes(Array("MOVED 1".utf8)), .null, .integer(1),
        ])
    func noFaults(reply: RedisReply) {
        #expect(reply.fault == nil)
    }
}
