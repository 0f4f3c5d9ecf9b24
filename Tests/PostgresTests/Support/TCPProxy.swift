import Foundation
import Synchronization

/// A TCP proxy on loopback that lets a test see, hold up and cut the traffic between client and server.
final class TCPProxy: Sendable {
    enum Direction: Sendable { case toServer, toClient }

    struct Chunk: Sendable {
        let connection: Int
        let direction: Direction
        let bytes: [UInt8]

        /// Whether the bytes hold the text.
        func contains(_ text: String) -> Bool {
            String(decoding: bytes, as: UTF8.self).contains(text)
        }
    }

    enum Verdict: Sendable {
        case forward
        /// Close both sides without passing the bytes on.
        case cut
    }

    typealias Judge = @Sendable (Chunk) -> Verdict

    private struct State {
        var listener: Int32 = -1
        var sockets: [Int32] = []
        var connections = 0
    }

    let port: UInt16
    private let target: UInt16
    private let judge: Judge
    private let state = Mutex(State())

    init(target: UInt16, judge: @escaping Judge) throws {
        self.target = target
        self.judge = judge
        let listener = try Self.listener(port: 0)
        port = Self.localPort(of: listener)
        serve(on: listener)
    }

    /// Cuts all connections and takes no new ones, like a server that was stopped.
    func stop() {
        state.withLock { state in
            if state.listener >= 0 { shutdown(state.listener, Int32(SHUT_RDWR)) }
            state.listener = -1
        }
        cut()
    }

    /// Takes connections again on the same port.
    func start() throws {
        serve(on: try Self.listener(port: port))
    }

    /// Cuts all connections.
    func cut() {
        state.withLock { state in
            for socket in state.sockets { shutdown(socket, Int32(SHUT_RDWR)) }
            state.sockets = []
        }
    }

    private func serve(on listener: Int32) {
        state.withLock { $0.listener = listener }
        Thread.detachNewThread { [self] in
            while case let client = accept(listener, nil, nil), client >= 0 {
                guard let server = try? Self.connection(port: target) else {
                    // The test stopped the server: its client sees a closed connection.
                    close(client)
                    continue
                }
                let number = state.withLock { state in
                    state.sockets += [client, server]
                    state.connections += 1
                    return state.connections
                }
                // Both threads end when either side closes; the descriptors are closed by the second of them.
                let users = Users()
                pump(from: client, to: server, number, .toServer, users)
                pump(from: server, to: client, number, .toClient, users)
            }
            close(listener)
        }
    }

    private final class Users: Sendable {
        let count = Mutex(2)
    }

    private func pump(from source: Int32, to sink: Int32, _ number: Int, _ direction: Direction, _ users: Users) {
        Thread.detachNewThread { [self] in
            var buffer = [UInt8](repeating: 0, count: 256 * 1024)
            while case let count = unsafe recv(source, &buffer, buffer.count, 0), count > 0 {
                let chunk = Chunk(connection: number, direction: direction, bytes: Array(buffer[..<count]))
                guard judge(chunk) == .forward, Self.sendAll(chunk.bytes, to: sink) else { break }
            }
            for socket in [source, sink] { shutdown(socket, Int32(SHUT_RDWR)) }
            let isLast = users.count.withLock { count in
                count -= 1
                return count == 0
            }
            guard isLast else { return }
            state.withLock { state in
                state.sockets.removeAll { $0 == source || $0 == sink }
                close(source)
                close(sink)
            }
        }
    }

    private static func sendAll(_ bytes: [UInt8], to socket: Int32) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let sent = unsafe rest.withUnsafeBytes {
                unsafe send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard sent > 0 else { return false }
            rest = rest.dropFirst(sent)
        }
        return true
    }

    private static func listener(port: UInt16) throws -> Int32 {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var on: Int32 = 1
        unsafe setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        guard unsafe withAddress(port, { unsafe bind(listener, $0, $1) }) == 0, listen(listener, 64) == 0 else {
            throw Unexpected("cannot listen on port \(port)")
        }
        return listener
    }

    private static func connection(port: UInt16) throws -> Int32 {
        let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var on: Int32 = 1
        unsafe setsockopt(client, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        guard unsafe withAddress(port, { unsafe connect(client, $0, $1) }) == 0 else {
            close(client)
            throw Unexpected("cannot connect to port \(port)")
        }
        return client
    }

    private static func withAddress(_ port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        // Safe: a sockaddr_in is a sockaddr to the socket calls, which are told its size.
        return unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    private static func localPort(of socket: Int32) -> UInt16 {
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe getsockname(socket, $0, &length) }
        }
        return UInt16(bigEndian: address.sin_port)
    }
}
