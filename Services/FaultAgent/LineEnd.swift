import NIOCore

/// One end of a connection through a line: what it reads, its partner writes, a while later where the line is slow.
///
/// Nothing more is read before that is written, so that what is on its way stays small.
final class LineEnd: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// The other end; both live as long as their connections.
    var partner: LineEnd?
    private let line: Line
    private var context: ChannelHandlerContext?
    private var underway = 0
    private var isOver = false
    /// What came first goes first, even where the line became quicker meanwhile.
    private var lastDue = NIODeadline.uptimeNanoseconds(0)

    init(_ line: Line) { self.line = line }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    /// Of the client's end only: the server's is connected before it has its handler.
    func channelActive(context: ChannelHandlerContext) {
        context.read()
        partner?.context?.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        underway += 1
        lastDue = max(lastDue, .now() + line.delay)
        if lastDue <= .now() {
            pass(bytes)
        } else {
            context.eventLoop.assumeIsolated().scheduleTask(deadline: lastDue) { self.pass(bytes) }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        isOver = true
        endIfDone()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func pass(_ bytes: ByteBuffer) {
        guard let out = partner?.context else {
            context?.close(promise: nil)
            return
        }
        let written = out.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenComplete { result in
            self.underway -= 1
            // Nobody takes it any more.
            if case .failure = result { self.context?.close(promise: nil) }
            self.endIfDone()
            if !self.isOver, self.underway == 0 { self.context?.read() }
        }
        out.writeAndFlush(Self.wrapOutboundOut(bytes), promise: written)
    }

    /// Whoever has ended has the other side ended, once all that it said is told.
    private func endIfDone() {
        guard isOver, underway == 0 else { return }
        partner?.context?.close(promise: nil)
        partner = nil
    }
}
