import Foundation
import Logging
import SettleTestSupport
import Synchronization
import Testing

@testable import SettleServiceKit

@Suite("Telling systemd", .timeLimit(.minutes(1)))
struct SystemdNotifierTests {
    /// A socket of its own that is read in place of systemd's. (NIO takes no datagrams of senders without a name.)
    private final class Heard: Sendable {
        let path = FileManager.default.temporaryDirectory.appending(path: "notify-\(UUID().uuidString.prefix(8))").path
        private let descriptor: Int32
        private let lines = Mutex<[String]>([])

        init() throws {
            descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
            var name = sockaddr_un()
            name.sun_family = sa_family_t(AF_UNIX)
            let bytes = Array(path.utf8)
            unsafe withUnsafeMutableBytes(of: &name.sun_path) { unsafe $0.copyBytes(from: bytes) }
            let length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
            let code = unsafe withUnsafePointer(to: &name) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe bind(descriptor, $0, length) }
            }
            try #require(code == 0)
        }

        deinit {
            close(descriptor)
            unsafe unlink(path)
        }

        /// All so far.
        var all: [String] {
            lines.withLock { lines in
                var bytes = [UInt8](repeating: 0, count: 256)
                while true {
                    let count = unsafe recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
                    guard count > 0 else { return lines }
                    lines.append(String(decoding: bytes.prefix(count), as: UTF8.self))
                }
            }
        }
    }

    @Test("ready once it is, alive as long as it is, and stopping in the end")
    func life() async throws {
        let heard = try Heard()
        let isReady = Mutex(false)
        let made = SystemdNotifier(
            ["NOTIFY_SOCKET": heard.path, "WATCHDOG_USEC": "40000", "WATCHDOG_PID": "\(getpid())"],
            isReady: { isReady.withLock { $0 } }, logger: Logger(label: "test"))
        let notifier = try #require(made)
        let running = Task { await notifier.run() }
        try await eventually("alive while it starts") { heard.all.contains("WATCHDOG=1") }
        #expect(!heard.all.contains("READY=1"))
        isReady.withLock { $0 = true }
        try await eventually("ready") { heard.all.contains("READY=1") }
        try await eventually("alive") {
            heard.all.drop { $0 != "READY=1" }.filter { $0 == "WATCHDOG=1" }.count > 2
        }
        running.cancel()
        await running.value
        try await eventually("stopping") { heard.all.last == "STOPPING=1" }
        #expect(heard.all.filter { $0 == "READY=1" }.count == 1)
    }

    @Test("without a watchdog, or with one of another process, it says nothing in between", arguments: ["", "1"])
    func quiet(watchdogPID: String) async throws {
        let heard = try Heard()
        var environment = ["NOTIFY_SOCKET": heard.path]
        if !watchdogPID.isEmpty {
            environment["WATCHDOG_USEC"] = "2000"
            environment["WATCHDOG_PID"] = watchdogPID
        }
        let made = SystemdNotifier(environment, isReady: { true }, logger: Logger(label: "test"))
        let notifier = try #require(made)
        let running = Task { await notifier.run() }
        try await eventually("ready") { heard.all.contains("READY=1") }
        try await Task.sleep(for: .milliseconds(50))
        running.cancel()
        await running.value
        try await eventually("stopping") { heard.all == ["READY=1", "STOPPING=1"] }
    }

    @Test("who was not started by systemd tells nobody, and a path that is none is not used")
    func nobody() throws {
        let logger = Logger(label: "test")
        #expect(SystemdNotifier([:], isReady: { true }, logger: logger) == nil)
        for path in ["", "relative", "/" + String(repeating: "a", count: 108)] {
            #expect(SystemdNotifier(["NOTIFY_SOCKET": path], isReady: { true }, logger: logger) == nil)
        }
        #expect(SystemdNotifier(["NOTIFY_SOCKET": "@settle"], isReady: { true }, logger: logger) != nil)
        #expect(NotifySocket(path: "/nobody/listens/here")?.send("READY=1") == false)
    }
}
