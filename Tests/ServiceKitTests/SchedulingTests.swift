#if os(Linux)
    import Foundation
    import SettleTestSupport
    import Testing

    @testable import SettleServiceKit

    @Suite("How threads are scheduled", .timeLimit(.minutes(1)), .enabled(if: LoneService.bin != nil))
    struct SchedulingTests {
        @Test("all threads of a service are batch work to the system, or none where that is not wanted")
        func policies() async throws {
            #expect(try await Self.policies([:]) == [Scheduling.batchPolicy])
            #expect(try await Self.policies(["SCHEDULING": "normal"]) == [SCHED_OTHER])
        }

        /// Those of all threads of a service with these settings, once it serves.
        private static func policies(_ settings: [String: String]) async throws -> Set<Int32> {
            let port = try Ports.take()
            let server = try await LoneService.start(port: port, settings: settings)
            let threads = "/proc/\(try #require(server.pid))/task"
            let names = try FileManager.default.contentsOfDirectory(atPath: threads)
            #expect(names.count > 4)
            // One that has just ended has none.
            let policies = names.compactMap {
                try? policy(String(contentsOfFile: "\(threads)/\($0)/stat", encoding: .utf8))
            }
            try await server.remove(SIGTERM)
            return Set(policies)
        }

        /// The 41st field; the second, a name in parentheses, may hold spaces (proc(5)).
        private static func policy(_ stat: String) -> Int32? {
            let fields = stat[(stat.lastIndex(of: ")") ?? stat.startIndex)...].split(separator: " ")
            return fields.count > 39 ? Int32(fields[39]) : nil
        }
    }
#endif
