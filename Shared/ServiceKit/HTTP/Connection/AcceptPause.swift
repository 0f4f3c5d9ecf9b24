import Logging
import NIOCore

/// No new connections for a moment when the process has no descriptor for one.
///
/// The connection stays in the kernel's queue, so the socket stays readable: without the pause the event loop would try
/// again and again without end.
final class AcceptPause: ChannelInboundHandler {
    typealias InboundIn = Channel

    private static let pause = TimeAmount.milliseconds(500)
    private let logger: Logger
    private let warning = Seldom()
    private var isPaused = false

    init(logger: Logger) { self.logger = logger }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard error is IOError, let options = context.channel.syncOptions else { return context.fireErrorCaught(error) }
        guard !isPaused else { return }
        isPaused = true
        if warning.isDue() {
            logger.warning("no connection can be accepted for a moment", metadata: ["error": "\(error)"])
        }
        do {
            try options.setOption(.autoRead, value: false)
        } catch {
            return context.fireErrorCaught(error)
        }
        context.eventLoop.assumeIsolated().scheduleTask(in: Self.pause) {
            self.isPaused = false
            // Only a closed channel refuses: the service has stopped meanwhile.
            try? options.setOption(.autoRead, value: true)
        }
    }
}
