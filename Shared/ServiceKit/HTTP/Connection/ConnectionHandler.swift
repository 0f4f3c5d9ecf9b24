import HTTPTypes
import Logging
import NIOCore
import NIOHTTP1

/// One connection as HTTP/1: hands its requests on one at a time, each as a whole, and answers for all that is wrong
/// before that.
///
/// So no route meets a body that is late, broken off or too long, and a slow client holds nothing but its connection
/// and the bytes it has sent. ``ConnectionState`` decides; this does.
final class ConnectionHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private enum Event {
        case part(HTTPServerRequestPart)
        case malformed
        case inputClosed
    }

    /// What may wait for its turn behind a request that is being answered: what was read with it, which is little, and
    /// what a client sent before it closed its end. One that sends more than this at once is not served.
    private static let maxQueued = 1024

    private var state: ConnectionState
    private let admission: ServerLoad.Admission
    private let load: ServerLoad
    private let claim: BodyClaim
    private let socket: SocketHandler
    private let logger: Logger

    private var context: ChannelHandlerContext?
    private var head: HTTPRequestHead?
    private var body: ByteBuffer?
    private var queue = CircularBuffer<Event>()
    private var isReadWithheld = false
    /// One for all limits; it comes early rather than being moved with each request.
    private var timer: (task: Scheduled<Void>, deadline: NIODeadline)?

    init(
        limits: HTTPLimits, admission: ServerLoad.Admission, load: ServerLoad, claim: BodyClaim, socket: SocketHandler,
        logger: Logger
    ) {
        state = ConnectionState(limits: limits)
        self.admission = admission
        self.load = load
        self.claim = claim
        self.socket = socket
        self.logger = logger
    }

    var isClosing: Bool { state.phase == .closing }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        timer?.task.cancel()
        timer = nil
        self.context = nil
    }

    func channelActive(context: ChannelHandlerContext) {
        state.opened(at: .now())
        context.fireChannelActive()
        switch admission {
        case .admitted: armTimer()
        case .refused: refuse(.unavailable("too many connections at once"))
        case .dropped: socket.close()
        }
    }

    // MARK: From the client

    /// Some bytes came. Returns whether they are still looked at.
    func receives() -> Bool {
        state.received(at: .now())
        return !isClosing
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        take(.part(Self.unwrapInboundIn(data)), context)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        // The second is the first one again, at the next bytes.
        case is HTTPParserError, is ByteToMessageDecoderError: take(.malformed, context)
        default: context.fireErrorCaught(error)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case ChannelEvent.inputClosed: take(.inputClosed, context)
        case is ChannelShouldQuiesceEvent:
            queue.removeAll()
            if state.quiesce() { socket.close() }
        default: context.fireUserInboundEventTriggered(event)
        }
    }

    private func take(_ event: Event, _ context: ChannelHandlerContext) {
        switch (state.phase, event) {
        // Whoever waits for the client's end, while it is answered, should hear of it, unless requests are before it.
        case (.answering, .inputClosed) where queue.isEmpty: handle(event, context)
        case (.answering, _):
            queue.append(event)
            if queue.count > Self.maxQueued { socket.close() }
        default: handle(event, context)
        }
    }

    private func handle(_ event: Event, _ context: ChannelHandlerContext) {
        if case .inputClosed = event { return context.fireUserInboundEventTriggered(ChannelEvent.inputClosed) }
        guard !isClosing else { return }
        switch event {
        case .part(.head(let head)): begin(head)
        case .part(.body(let part)): add(part, context)
        case .part(.end): handOn(context)
        case .malformed, .inputClosed: refuse(.badRequest("the request is not valid HTTP/1.1"))
        }
    }

    private func begin(_ head: HTTPRequestHead) {
        self.head = head
        if let problem = RequestHeadCheck.problem(head) { return refuse(problem) }
        state.headEnded(isLast: RequestHeadCheck.isLast(head), at: .now())
        if RequestHeadCheck.awaitsContinue(head) { socket.send(ByteBuffer(string: "HTTP/1.1 100 Continue\r\n\r\n")) }
    }

    private func add(_ part: ByteBuffer, _ context: ChannelHandlerContext) {
        guard state.received(bodyBytes: part.readableBytes) else { return refuse(.contentTooLarge) }
        guard claim.add(part.readableBytes) else { return refuse(.unavailable("too many bodies at once")) }
        // Copied: a part of one byte would keep all that was read with it.
        var body = self.body ?? context.channel.allocator.buffer(capacity: part.readableBytes)
        self.body = nil
        body.writeImmutableBuffer(part)
        self.body = body
    }

    private func handOn(_ context: ChannelHandlerContext) {
        guard let head else { return }
        let body = self.body
        self.body = nil
        state.requestEnded()
        context.fireChannelRead(Self.wrapInboundOut(.head(head)))
        if let body { context.fireChannelRead(Self.wrapInboundOut(.body(body))) }
        context.fireChannelRead(Self.wrapInboundOut(.end(nil)))
    }

    private func refuse(_ problem: Problem) {
        logger.debug(
            "request refused", metadata: ["status": "\(problem.status.code)", "detail": "\(problem.detail ?? "")"])
        load.count(refusal: problem)
        let omitsBody = head?.method == .HEAD
        state.finish()
        body = nil
        claim.release()
        socket.send(problem.wire(omitsBody: omitsBody))
        socket.finish()
    }

    // MARK: To the client

    func read(context: ChannelHandlerContext) {
        // One request at a time: the next ones wait with the kernel.
        if state.phase == .answering { isReadWithheld = true } else { context.read() }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch Self.unwrapOutboundIn(data) {
        case .head(var head) where state.isLast && head.status.code >= 200:
            head.headers.replaceOrAdd(name: "Connection", value: "close")
            context.write(Self.wrapOutboundOut(.head(head)), promise: promise)
        case .head, .body: context.write(data, promise: promise)
        case .end:
            context.write(data, promise: promise)
            answerEnded(context)
        }
    }

    private func answerEnded(_ context: ChannelHandlerContext) {
        claim.release()
        guard !isClosing else { return }
        guard state.answerEnded(at: .now()) else { return finish() }
        var isRead = false
        while state.phase != .answering, let event = queue.popFirst() {
            handle(event, context)
            isRead = true
        }
        if isRead { context.fireChannelReadComplete() }
        if isReadWithheld, state.phase != .answering {
            isReadWithheld = false
            context.read()
        }
        armTimer()
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard mode == .output else { return context.close(mode: mode, promise: promise) }
        // Whoever answers requests here has no more to say.
        if !isClosing { finish() }
        promise?.succeed()
    }

    private func finish() {
        state.finish()
        queue.removeAll()
        socket.finish()
    }

    func flushed() {
        let progress = socket.progress
        state.flushed(sent: progress.sent, pending: progress.pending, at: .now())
        if progress.pending > 0 { armTimer() }
    }

    func outputClosed() {
        state.outputClosed(at: .now())
        armTimer()
    }

    // MARK: Time

    /// Sees to it that the timer comes no later than the state's deadline.
    func armTimer() {
        guard let context, let deadline = state.deadline else { return }
        if let timer, timer.deadline <= deadline { return }
        timer?.task.cancel()
        let task = context.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) { self.expired() }
        timer = (task, deadline)
    }

    private func expired() {
        timer = nil
        let progress = socket.progress
        switch state.expired(sent: progress.sent, pending: progress.pending, at: .now()) {
        case .notYet: armTimer()
        case .refuse: refuse(.requestTimeout)
        case .close: socket.close()
        }
    }
}
