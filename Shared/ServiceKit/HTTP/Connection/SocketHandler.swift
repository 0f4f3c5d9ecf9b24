import NIOCore

/// The bytes of one connection, before they are taken for HTTP: counts them, and ends the connection.
final class SocketHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData

    /// Set once, when both are put into the pipeline; the other end holds this one.
    weak var connection: ConnectionHandler?
    private var context: ChannelHandlerContext?
    private var written = 0

    /// What the socket has not taken yet.
    private var pending: Int {
        // Only a closed channel has none, and what it has not taken it never will.
        (try? context?.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
    }

    /// How far the client has taken what was written.
    var progress: (sent: Int, pending: Int) {
        let pending = pending
        return (written - pending, pending)
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // After the last answer nothing is looked at any more.
        guard connection?.receives() == true else { return }
        context.fireChannelRead(data)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.fireChannelReadComplete()
        guard let connection else { return }
        // Nobody above asks for more once the last answer is on its way, and the client's end would never be seen.
        if connection.isClosing { context.read() }
        connection.armTimer()
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        written += Self.unwrapOutboundIn(data).readableBytes
        context.write(data, promise: promise)
    }

    func flush(context: ChannelHandlerContext) {
        context.flush()
        connection?.flushed()
    }

    /// Writes bytes that no layer above knows of.
    func send(_ bytes: ByteBuffer) {
        guard let context else { return }
        write(context: context, data: Self.wrapOutboundOut(.byteBuffer(bytes)), promise: nil)
        flush(context: context)
    }

    /// Tells the client that nothing more comes, once all that was written is on its way; what it still sends is thrown
    /// away until its end comes too.
    func finish() {
        guard let context else { return }
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenSuccess { self.closeOutput() }
        // An empty write is done when all before it are.
        write(context: context, data: Self.wrapOutboundOut(.byteBuffer(ByteBuffer())), promise: written)
        flush(context: context)
        context.read()
    }

    private func closeOutput() {
        guard let context else { return }
        let closed = context.eventLoop.makePromise(of: Void.self)
        closed.futureResult.assumeIsolated().whenComplete { result in
            switch result {
            case .success: self.connection?.outputClosed()
            // The client is gone already.
            case .failure: context.close(promise: nil)
            }
        }
        context.close(mode: .output, promise: closed)
    }

    /// Ends the connection without another word.
    func close() { context?.close(promise: nil) }
}
