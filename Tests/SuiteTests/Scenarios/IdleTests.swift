#if os(Linux)
    import Foundation
    import Testing

    extension Proof {
        @Suite("Idle", .timeLimit(.minutes(2)))
        struct IdleTests {
            /// The same settings as an operator's who has set none.
            private static let standard = [
                "TASK_LEASE": "5s", "TASK_REPUBLISH_AFTER": "10m", "TASK_SCAN_INTERVAL": "1s",
            ]
            private static let seconds = 5.0

            @Test("a service that nobody asks anything wakes up a few times a second, not hundreds")
            func wakeUps() async throws {
                try await Suite.with(settings: Self.standard) { suite in
                    // What a start leaves to be done.
                    try await Task.sleep(for: .seconds(3))
                    let before = try suite.running.map { try Self.switches($0.pid) }
                    try await Task.sleep(for: .seconds(Self.seconds))
                    for (process, before) in zip(suite.running, before) {
                        let now = try Self.switches(process.pid)
                        let count = now.reduce(0) { $0 + $1.value - (before[$1.key] ?? 0) }
                        let perSecond = Double(count) / Self.seconds
                        print("suite: \(process.name) idle waits \(perSecond) times a second")
                        // One wake-up is two or three switches, from thread to thread.
                        #expect(perSecond < 100, "\(process.name) \(perSecond)")
                    }
                }
            }

            /// How often each thread of a process has waited so far, by its number.
            private static func switches(_ pid: pid_t) throws -> [String: Int] {
                let tasks = "/proc/\(pid)/task"
                return try FileManager.default.contentsOfDirectory(atPath: tasks).reduce(into: [:]) { counts, thread in
                    // One that has ended meanwhile.
                    let status = (try? String(contentsOfFile: "\(tasks)/\(thread)/status", encoding: .utf8)) ?? ""
                    let line = status.split(separator: "\n").first { $0.hasPrefix("voluntary_ctxt_switches:") }
                    counts[thread] = line?.split(whereSeparator: \.isWhitespace).last.flatMap { Int($0) } ?? 0
                }
            }
        }
    }
#endif
