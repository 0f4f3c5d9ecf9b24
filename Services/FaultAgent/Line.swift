import NIOCore
import NIOPosix
import Synchronization

/// A way to a server: what comes in goes on there, and its answers come back, unless the line is slow or away.
final class Line: Sendable {
    enum State: Sendable, Equatable {
        case open
        /// Each way takes so much longer.
        case slow(Duration)
        /// As if nobody were there.
        case away
    }

    private struct Away: Error {}

    let address: LineAddress
    private let state = Mutex(State.open)
    private let listener = Mutex<(any Channel)?>(nil)
    private let connections = Mutex<[ObjectIdentifier: any Channel]>([:])

    init(_ address: LineAddress) { self.address = address }

    /// How much longer each way takes.
    var delay: TimeAmount {
        if case .slow(let delay) = state.withLock(\.self) { TimeAmount(delay) } else { .zero }
    }

    func set(_ state: State) {
        self.state.withLock { $0 = state }
        if state == .away { cut() }
    }

    /// Ends all connections; new ones are let in.
    func cut() {
        for channel in connections.withLock(\.self).values { channel.close(promise: nil) }
    }

    /// - Throws: when the port cannot be had.
    func listen(host: String) async throws {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 256)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.autoRead, value: false)
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { self.connect($0) }
            .bind(host: host, port: address.port).get()
        listener.withLock { $0 = channel }
    }

    func close() {
        listener.withLock { $0 }?.close(promise: nil)
        cut()
    }

    private func connect(_ client: any Channel) -> EventLoopFuture<Void> {
        guard state.withLock(\.self) != .away else { return client.eventLoop.makeFailedFuture(Away()) }
        // Both ends on one event loop, so that they need no lock.
        return ClientBootstrap(group: client.eventLoop)
            .connectTimeout(.seconds(5))
            .channelOption(.autoRead, value: false)
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .connect(host: address.host, port: address.target)
            .flatMapThrowing { server in
                let (near, far) = (LineEnd(self), LineEnd(self))
                (near.partner, far.partner) = (far, near)
                try client.pipeline.syncOperations.addHandler(near)
                try server.pipeline.syncOperations.addHandler(far)
                for channel in [client, server] { self.keep(channel) }
            }
    }

    private func keep(_ channel: any Channel) {
        connections.withLock { $0[ObjectIdentifier(channel)] = channel }
        channel.closeFuture.whenComplete { _ in
            self.connections.withLock { _ = $0.removeValue(forKey: ObjectIdentifier(channel)) }
        }
    }
}
