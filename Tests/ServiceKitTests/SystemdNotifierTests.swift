import Foundation
import Logging
import NIOCore
import NIOPosix
import SettleTestSupport
import Synchronization
import Testing

@testable import SettleServiceKit

@Suite("Telling systemd", .timeLimit(.minutes(1)))
struct SystemdNotifierTests {
    private final class Heard: ChannelInboundHandler, Sendable {
        typealias InboundIn = AddressedEnvelope<ByteBuffer>
        let all = Mutex<[String]>([])

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let text = String(buffer: unwrapInboundIn(data).data)
            all.withLock { $0.append(text) }
        }
    }

    /// Reads what comes to a socket of its own, in place of systemd.
    private static func listening(_ body: (String, Heard) async throws -> Void) async throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "notify-\(UUID().uuidString.prefix(8))").path
        let heard = Heard()
        let channel = try await DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { $0.pipeline.addHandler(heard) }
            .bind(unixDomainSocketPath: path, cleanupExistingSocketFile: true).get()
        try await body(path, heard)
        try await channel.close()
        try FileManager.default.removeItem(atPath: path)
    }

    @Test("ready once it is, alive as long as it is, and stopping in the end")
    func life() async throws {
        try await Self.listening { path, heard in
            let isReady = Mutex(false)
            let made = SystemdNotifier(
                ["NOTIFY_SOCKET": path, "WATCHDOG_USEC": "40000", "WATCHDOG_PID": "\(getpid())"],
                isReady: { isReady.withLock { $0 } }, logger: Logger(label: "test"))
            let notifier = try #require(made)
            let running = Task { await notifier.run() }
            try await eventually("alive while it starts") { heard.all.withLock { $0.contains("WATCHDOG=1") } }
            #expect(!heard.all.withLock { $0.contains("READY=1") })
            isReady.withLock { $0 = true }
            try await eventually("ready") { heard.all.withLock { $0.contains("READY=1") } }
            try await eventually("alive") {
                heard.all.withLock { $0.drop { $0 != "READY=1" }.filter { $0 == "WATCHDOG=1" }.count > 2 }
            }
            running.cancel()
            await running.value
            try await eventually("stopping") { heard.all.withLock { $0.last == "STOPPING=1" } }
            #expect(heard.all.withLock { $0.filter { $0 == "READY=1" }.count } == 1)
        }
    }

    @Test("without a watchdog, or with one of another process, it says nothing in between", arguments: ["", "1"])
    func quiet(watchdogPID: String) async throws {
        try await Self.listening { path, heard in
            var environment = ["NOTIFY_SOCKET": path]
            if !watchdogPID.isEmpty {
                environment["WATCHDOG_USEC"] = "2000"
                environment["WATCHDOG_PID"] = watchdogPID
            }
            let made = SystemdNotifier(environment, isReady: { true }, logger: Logger(label: "test"))
            let notifier = try #require(made)
            let running = Task { await notifier.run() }
            try await eventually("ready") { heard.all.withLock { $0.contains("READY=1") } }
            try await Task.sleep(for: .milliseconds(50))
            running.cancel()
            await running.value
            try await eventually("stopping") { heard.all.withLock { $0 } == ["READY=1", "STOPPING=1"] }
        }
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
