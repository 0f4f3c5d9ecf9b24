#if canImport(Glibc)
    import Foundation
    import Glibc
    import Logging
    import ServiceLifecycle

    /// Tells systemd how the service is, where it has asked for that: `NOTIFY_SOCKET` names its socket, `WATCHDOG_USEC` how often it
    /// wants to hear that the process still works. See sd_notify(3).
    struct SystemdNotifier: Sendable {
        private let socket: NotifySocket
        /// Nil without a watchdog.
        private let pulse: Duration?
        private let isReady: @Sendable () async -> Bool
        private let logger: Logger

        /// Nil where systemd has not asked for anything.
        ///
        /// - Parameters:
        ///   - environment: of the process.
        ///   - isReady: what readiness says.
        ///   - logger: gets a line where systemd cannot be told.
        init?(
            _ environment: [String: String], isReady: @escaping @Sendable () async -> Bool, logger: Logger  // ours
        ) {
            guard let path = environment["NOTIFY_SOCKET"], let socket = NotifySocket(path: path) else { return nil }
            self.socket = socket
            self.isReady = isReady
            self.logger = logger
            // Half of what it is patient for, as sd_watchdog_enabled(3) advises. Of another process it asks nothing of us.
            let isOurs = environment["WATCHDOG_PID"].map { $0 == "\(getpid())" } ?? true
            let patience = isOurs ? environment["WATCHDOG_USEC"].flatMap(Int64.init) : nil
            pulse = patience.map { .microseconds(max($0, 1000) / 2) }
        }

        /// Says when the service is ready, then that it still works, and in the end that it stops; returns when it is stopped.
        func run() async {
            await cancelWhenGracefulShutdown {
                while !Task.isCancelled, !(await isReady()) {
                    pulse.map { _ in tell("WATCHDOG=1") }
                    try? await Task.sleep(for: .milliseconds(200))
                }
                guard !Task.isCancelled else { return }
                tell("READY=1")
                while !Task.isCancelled {
                    // Cancelled or not, the loop sees it.
                    try? await Task.sleep(for: pulse ?? .seconds(86_400))
                    if pulse != nil { tell("WATCHDOG=1") }
                }
            }
            tell("STOPPING=1")
        }

        private func tell(_ state: String) {
            guard !socket.send(state) else { return }
            logger.warning("systemd could not be told", metadata: ["state": "\(state)", "errno": "\(errno)"])
        }
    }

    /// A datagram socket of the Unix domain that somebody else reads.
    struct NotifySocket: Sendable {
        private let address: [UInt8]

        /// Nil for a path that is none: an absolute one, or an abstract name that begins with `@`.
        init?(path: String) {
            var bytes = Array(path.utf8)
            guard let first = bytes.first, first == UInt8(ascii: "/") || first == UInt8(ascii: "@"), bytes.count < 108
            else { return nil }
            if first == UInt8(ascii: "@") { bytes[0] = 0 }
            address = bytes
        }

        /// One datagram; false when it could not be sent at once.
        func send(_ text: String) -> Bool {
            let descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            guard descriptor >= 0 else { return false }
            defer { close(descriptor) }
            var name = sockaddr_un()
            name.sun_family = sa_family_t(AF_UNIX)
            unsafe withUnsafeMutableBytes(of: &name.sun_path) { path in unsafe path.copyBytes(from: address) }
            let length = socklen_t(MemoryLayout<sa_family_t>.size + address.count)
            let bytes = Array(text.utf8)
            let sent = unsafe withUnsafePointer(to: &name) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { name in
                    unsafe sendto(descriptor, bytes, bytes.count, Int32(MSG_DONTWAIT), name, length)
                }
            }
            return sent == bytes.count
        }
    }
#endif
