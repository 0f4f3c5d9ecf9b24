import Foundation
import SettleTestSupport
import Testing

extension Proof {
    @Suite("Wrong settings", .timeLimit(.minutes(2)))
    struct WrongSettingTests {
        @Test(
            "a service refuses to start: exit code 78, one line that names the setting and hides its value",
            arguments: [
                ("HTTP_PORT", "0"), ("HTTP_PORT", "65536"), ("HTTP_PORT", "eighty"), ("HTTP_HOST", "no host"),
                ("HTTP_HOST", "203.0.113.7"), ("SETTLE_TOKEN", ""), ("SETTLE_TOKEN", "fifteen-letters"),
                ("SETTLE_TOKENS_ACCEPTED", "token-0123456789,short"), ("STOCK_TOKEN", "short"),
                ("SETTLE_FAULTS", "inbox.commited=kill"), ("SETTLE_FAULTS", "inbox.committed"), ("LOG_LEVEL", "loud"),
                ("QUEUE_TYPE", "priority"), ("DATABASE_CONNECTIONS", "0"), ("ROW_LOCK_TIMEOUT", "2"),
                ("MESSAGE_KEYS", "a-key-and-no-type"), ("MESSAGE_KEYS", "addpoint=short,restock=short"),
                ("DATABASE_URL", ""), ("AMQP_URL", "http://127.0.0.1"), ("REDIS_URL", "127.0.0.1"),
            ])
        func refused(name: String, value: String) async throws {
            for role in Role.allCases {
                let (exit, errors) = try await ShortRun.of(role, ShortRun.right.merging([name: value]) { $1 })
                #expect(exit == .code(78), "\(role.rawValue): \(errors)")
                let lines = errors.split(separator: "\n")
                #expect(lines.count == 1, "\(errors)")
                #expect(errors.hasPrefix("\(role.rawValue): \(name)"), "\(errors)")
                // Failpoints are no secret, and what is wrong with one is hard to see otherwise.
                #expect(value.count < 3 || name == "SETTLE_FAULTS" || !errors.contains(value), "\(errors)")
            }
        }

        @Test("so do those that tell customers apart, unless it is on or off", arguments: [Role.order, .userPoints])
        func customers(role: Role) async throws {
            let wrong = ["SETTLE_CUSTOMERS": "true"]
            let (exit, errors) = try await ShortRun.of(role, ShortRun.right.merging(wrong) { $1 })
            #expect(exit == .code(78))
            #expect(errors == "\(role.rawValue): SETTLE_CUSTOMERS (--settle-customers): on or off is expected\n")
        }

        @Test("so it does when a file that holds a setting is not there")
        func missingFile() async throws {
            var environment = ShortRun.right
            environment["SETTLE_TOKEN"] = nil
            environment["SETTLE_TOKEN_FILE"] = "/nowhere"
            let (exit, errors) = try await ShortRun.of(.stock, environment)
            #expect(exit == .code(78))
            #expect(errors == "stock: SETTLE_TOKEN_FILE: a file that can be read is expected\n")
        }

        @Test("a flag wins over its variable, and one that there is none is exit code 64, without its value")
        func flags() async throws {
            for role in Role.allCases {
                let wins = try await ShortRun.of(
                    role, ShortRun.right, arguments: ["--http-host", "203.0.113.7"])
                #expect(wins.0 == .code(78))
                #expect(wins.1.hasPrefix("\(role.rawValue): HTTP_HOST (--http-host): "), "\(wins.1)")
                for unknown in [["--settle-token", "hunter2"], ["--bogus=hunter2"], ["hunter2"], ["--http-host"]] {
                    let (exit, errors) = try await ShortRun.of(role, ShortRun.right, arguments: unknown)
                    #expect(exit == .code(64), "\(unknown): \(errors)")
                    #expect(errors.hasPrefix("\(role.rawValue): "), "\(errors)")
                    #expect(errors.split(separator: "\n").count == 1, "\(errors)")
                    #expect(!errors.contains("hunter2"), "\(errors)")
                }
                let help = try await ShortRun.of(role, [:], arguments: ["--help"])
                #expect(help.0 == .code(0))
                #expect(help.1.isEmpty)
            }
        }
    }
}
