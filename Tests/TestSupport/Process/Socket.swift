package import Foundation

/// The few socket calls that the client needs, each safe to call with any descriptor.
package enum Socket {
    package static func open() -> Int32 {
        #if canImport(Glibc)
            return socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        #else
            return socket(AF_INET, SOCK_STREAM, 0)
        #endif
    }

    /// Loopback only; false when nobody listens there.
    package static func connect(_ socket: Int32, port: Int) -> Bool {
        // The address is a local value that outlives the call, of the size that is passed along.
        unsafe withAddress(port: port) { unsafe Foundation.connect(socket, $0, $1) } == 0
    }

    /// Whether a server listens on `port` now.
    package static func accepts(port: Int) -> Bool {
        let socket = open()
        defer { close(socket) }
        return connect(socket, port: port)
    }

    /// Whether a server could listen on `port` now.
    package static func isFree(port: Int) -> Bool {
        let socket = open()
        defer { close(socket) }
        // As above.
        return unsafe withAddress(port: port) { unsafe bind(socket, $0, $1) } == 0
    }

    /// A socket that listens on loopback; nil when the port is taken.
    package static func listen(port: Int) -> Int32? {
        let socket = open()
        // As above; the address lives as long as the call.
        guard unsafe withAddress(port: port, { unsafe bind(socket, $0, $1) }) == 0, Foundation.listen(socket, 128) == 0
        else {
            close(socket)
            return nil
        }
        return socket
    }

    /// Waits for the next connection; nil when `socket` was shut down.
    package static func accept(_ socket: Int32) -> Int32? {
        let connection = Foundation.accept(socket, nil, nil)
        return connection >= 0 ? connection : nil
    }

    package static func wait(_ socket: Int32, for events: Int32, timeout: Duration) -> Bool {
        let milliseconds = Int32(max(0, timeout / .milliseconds(1)))
        var descriptor = pollfd(fd: socket, events: Int16(events), revents: 0)
        // One local descriptor, and the call is told that it is one.
        return unsafe poll(&descriptor, 1, milliseconds) > 0
    }

    /// Two ends of one connection; nil when the process has no descriptors left.
    package static func pair() -> (Int32, Int32)? {
        var ends: [Int32] = [-1, -1]
        #if canImport(Glibc)
            let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        #else
            let kind = SOCK_STREAM
        #endif
        // The array holds the two that the call writes.
        return unsafe socketpair(AF_UNIX, kind, 0, &ends) == 0 ? (ends[0], ends[1]) : nil
    }

    /// Waits until one of `descriptors` has something, for at most `timeout`, rounded up to milliseconds; what each has is
    /// in its `revents`. Negative ones are passed over.
    package static func wait(_ descriptors: inout [pollfd], timeout: Duration) {
        let milliseconds = Int32((max(.zero, timeout) / .milliseconds(1)).rounded(.up))
        // The array is as long as the call is told, and not touched by anybody else during it.
        _ = unsafe poll(&descriptors, nfds_t(descriptors.count), milliseconds)
    }

    /// How many bytes were taken; at most zero when the connection is gone.
    package static func send(_ socket: Int32, _ bytes: ArraySlice<UInt8>) -> Int {
        // The buffer is valid for the call, which reads no more than its count.
        unsafe bytes.withUnsafeBytes { unsafe Foundation.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    }

    /// What has come; empty at the end of the connection, nil when it broke.
    package static func receive(_ socket: Int32) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 65_536)
        // The buffer is valid for the call, which writes no more than its count.
        let count = unsafe bytes.withUnsafeMutableBytes { unsafe recv(socket, $0.baseAddress, $0.count, 0) }
        return count < 0 ? nil : Array(bytes.prefix(count))
    }

    private static func withAddress<Result>(
        port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        // sockaddr_in is what the socket calls expect behind a sockaddr pointer, and its size goes along.
        return unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}
