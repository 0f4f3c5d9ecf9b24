import Foundation
import NIOCore
import NIOPosix

/// A client that sends whatever bytes it is told, for what no HTTP client would send.
package final class RawClient: Sendable {
    /// One answer as it came.
    package struct Answer {
        package let status: Int
        package let headers: [String: String]
        package let body: String
    }

    /// The server closed the connection before its answer was complete.
    package struct Closed: Error {}

    private let channel: any Channel
    private let incoming: AsyncStream<ByteBuffer>

    /// - Parameter isReading: without it nothing of what the server sends is taken.
    package static func open(_ port: Int, isReading: Bool = true) async throws -> RawClient {
        let (incoming, arrived) = AsyncStream.makeStream(of: ByteBuffer.self)
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.autoRead, value: isReading)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Collector(arrived))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        return RawClient(channel, incoming)
    }

    private init(_ channel: any Channel, _ incoming: AsyncStream<ByteBuffer>) {
        self.channel = channel
        self.incoming = incoming
    }

    /// The socket may break under it: what the server says of it is read with ``rest()``.
    package func send(_ text: String) async { await send(Array(text.utf8)) }

    package func send(_ bytes: [UInt8]) async { try? await channel.writeAndFlush(ByteBuffer(bytes: bytes)) }

    /// Tells the server that nothing more comes.
    package func finish() async throws { try await channel.close(mode: .output) }

    package func close() async { try? await channel.close() }

    /// The next answer; for one after the other, since what has come of a further one is dropped.
    package func answer() async throws -> Answer {
        var text = ""
        for await part in incoming {
            text += String(buffer: part)
            if let answer = Self.parse(text) { return answer }
        }
        throw Closed()
    }

    /// All until the server closes its end.
    package func rest() async -> String {
        var text = ""
        for await part in incoming { text += String(buffer: part) }
        return text
    }

    package static func parse(_ text: String) -> Answer? {
        guard let end = text.range(of: "\r\n\r\n") else { return nil }
        let lines = text[..<end.lowerBound].split(separator: "\r\n")
        let fields = lines.dropFirst().compactMap { line -> (String, String)? in
            let parts = line.split(separator: ":", maxSplits: 1)
            return parts.count == 2 ? (parts[0].lowercased(), String(parts[1].dropFirst())) : nil
        }
        let headers = Dictionary(fields) { $1 }
        let body = String(text[end.upperBound...])
        guard let status = lines.first.flatMap({ Int($0.split(separator: " ")[1]) }),
            body.utf8.count >= headers["content-length"].flatMap({ Int($0) }) ?? 0
        else { return nil }
        return Answer(status: status, headers: headers, body: body)
    }

    private final class Collector: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let arrived: AsyncStream<ByteBuffer>.Continuation

        init(_ arrived: AsyncStream<ByteBuffer>.Continuation) { self.arrived = arrived }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) { arrived.yield(Self.unwrapInboundIn(data)) }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if case ChannelEvent.inputClosed = event { arrived.finish() }
        }

        func channelInactive(context: ChannelHandlerContext) { arrived.finish() }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}
