import Foundation
import SettleTestSupport
import Testing

extension Proof {
    @Suite("Attack by configuration", .timeLimit(.minutes(3)))
    struct SettingAttackTests {
        private struct Wrong: Sendable {
            let role: Role
            let name: String
            let value: String
        }

        private static let urls = [
            "order", "order:8080", "http:", "http://", "http:///a", "://order", "ftp://order", "http://order:",
            "http://order:0", "http://order:65536", "http://order:99999999999999999999", "http://order:-1",
            "http://order:8o", "http://order:٨٠", "http://or der", "http://order /", "http://order?a=b",
            "http://order/a?b",
            "http://order#a", "http://me@order", "http://me:secret@order", "http://ördér", "http://[::1",
            "http://[]:80",
            "http://::1", "http://order:80:80", "http://%zz", "http+unix://%2Ftmp%2Fsocket",
            "http://" + String(repeating: "a", count: 5_000),
        ]
        private static let databases = [
            "x", "http://h/x", "postgresql://h:0/x", "postgresql://h:65536/x", "postgresql://h:-1/x",
            "postgresql://h:a/x",
            "postgresql://h/x?sslmode=bogus", "postgresql://h/x?connect_timeout=abc", "postgresql://h/x?unknown=1",
            "postgresql://h/x?sslmode=verify-full&sslrootcert=/nowhere", "postgresql://h/%zz", "postgresql://[::1/x",
            "postgresql://u:%zz@h/x", "postgresql://h/x?sslrootcert=/nowhere", "host=h dbname=x sslmode=bogus",
        ]
        private static let brokers = [
            "x", "http://h", "amqp://h:0", "amqp://h:65536", "amqp://h:a", "amqp://h/%zz", "amqp://h/a/b",
            "amqp://h?x=1",
            "amqps://h?cacertfile=/nowhere", "amqps://h?verify=bogus", "amqp://h?cacertfile=/etc/hosts", "amqp://h#f",
            "amqp://a b", "amqp://u:%zz@h", "amqp://", "amqp://[::1",
        ]
        private static let caches = [
            "x", "http://h", "redis://h:0", "redis://h:65536", "redis://h:a", "redis://h/abc", "redis://h/-1",
            "redis://h/99999999999999999999", "rediss://h", "redis://h?x=1", "redis://h#f", "redis://u:%zz@h",
            "redis://",
            "redis://a b", "redis://[::1",
        ]
        private static let durations = ["0s", "-1s", "5", "abc", "1e9s", "99999999999999999999s", "1 s", "٣s", "1s1s"]
        private static let numbers = ["0", "-1", "abc", "1.5", "99999999999999999999", "0x10", "+1", " 1", "٣"]

        private static let variants: [Wrong] = {
            var all: [Wrong] = []
            func add(_ role: Role, _ name: String, _ values: [String]) {
                all += values.map { Wrong(role: role, name: name, value: $0) }
            }
            let roles = Role.allCases
            for (number, value) in databases.enumerated() { add(roles[number % 3], "DATABASE_URL", [value]) }
            for (number, value) in brokers.enumerated() { add(roles[number % 3], "AMQP_URL", [value]) }
            for (number, value) in caches.enumerated() { add(roles[number % 3], "REDIS_URL", [value]) }
            for name in ["STOCK_URL", "POINTS_URL"] { add(.order, name, urls) }
            add(.stock, "ORDER_URL", urls)
            add(
                .userPoints, "INITIATORS",
                ["order", "order=", "=http://order", "order=ftp://order", "order=http://order:0", ","])
            for name in ["HTTP_IDLE_TIMEOUT", "HTTP_HEAD_TIMEOUT"] { add(.stock, name, durations) }
            for name in ["TASK_LEASE", "TASK_REPUBLISH_AFTER", "TRANSACTION_DEADLINE"] { add(.order, name, durations) }
            for name in ["ROW_LOCK_TIMEOUT", "TRANSACTION_CHECK_AFTER"] { add(.userPoints, name, durations) }
            for name in ["DATABASE_CONNECTIONS", "HTTP_PORT", "HTTP_MAX_CONNECTIONS", "HTTP_BODY_BUDGET"] {
                add(.userPoints, name, numbers)
            }
            add(.order, "HTTP_HOST", ["no host", "203.0.113.7", "::zz", "256.1.1.1"])
            add(.stock, "SETTLE_TOKEN", ["short", "fifteen-letters", "with spaces in it", "0123456789abcdefé"])
            add(.stock, "SETTLE_TOKENS_ACCEPTED", [",", "0123456789abcdef,", "0123456789abcdef, 0123456789abcdef"])
            add(
                .userPoints, "SETTLE_FAULTS",
                ["x", "inbox.commited=kill", "inbox.committed=", "inbox.committed=kill@x", "=kill"])
            add(.order, "LOG_LEVEL", ["loud", "INFO ", "6"])
            add(.stock, "QUEUE_TYPE", ["priority", "CLASSIC", "stream"])
            return all
        }()

        @Test("settings that cannot work: each is refused at the start, in one line that names it, with exit code 78")
        func variants() async throws {
            let all = Self.variants
            var rest = all.makeIterator()
            try await withThrowingTaskGroup(of: String?.self) { group in
                func next() {
                    guard let wrong = rest.next() else { return }
                    group.addTask {
                        let (exit, errors) = try await ShortRun.of(
                            wrong.role, ShortRun.right.merging([wrong.name: wrong.value]) { $1 })
                        let lines = errors.split(separator: "\n")
                        let isRight =
                            exit == .code(78) && lines.count == 1
                            && errors.hasPrefix("\(wrong.role.rawValue): \(wrong.name)")
                        return isRight
                            ? nil
                            : "\(wrong.name)=\(wrong.value.prefix(60)): \(exit.map { "\($0)" } ?? "runs"), \(errors.prefix(300))"
                    }
                }
                for _ in 0..<6 { next() }
                while let found = try await group.next() {
                    if let found { Issue.record("\(found)") }
                    next()
                }
            }
            Attack.report(all.count, "settings")
        }
    }
}
