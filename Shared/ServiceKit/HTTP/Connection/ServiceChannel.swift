import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1

/// What stands between a socket and the routes:
///
/// ```
///   socket ⇄ SocketHandler ⇄ HTTP/1 parser and encoder ⇄ ConnectionHandler ⇄ routes
///            bytes, the end                              whole requests, limits
/// ```
struct ServiceChannel: HTTPChannelHandler {
    struct Value: ServerChildChannelValue {
        let http: NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>
        let claim: BodyClaim

        var channel: any Channel { http.channel }
    }

    let responder: HTTPChannelHandler.Responder
    let limits: HTTPLimits
    let load: ServerLoad

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            let admission = load.opened()
            channel.closeFuture.whenComplete { _ in load.closed() }
            let claim = BodyClaim(load)
            let socket = SocketHandler()
            let connection = ConnectionHandler(
                limits: limits, admission: admission, load: load, claim: claim, socket: socket, logger: logger)
            socket.connection = connection
            let pipeline = channel.pipeline.syncOperations
            try pipeline.addHandler(socket)
            try pipeline.configureHTTPServerPipeline(
                withPipeliningAssistance: false, withErrorHandling: false, withOutboundHeaderValidation: false,
                withEncoderConfiguration: .init(), withDecoderLimitConfiguration: Self.headLimits)
            try pipeline.addHandler(connection)
            try pipeline.addHandler(HTTP1ToHTTPServerCodec(secure: false))
            let http = try NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>(
                wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
            return Value(http: http, claim: claim)
        }
    }

    func handle(value: Value, logger: Logger) async {
        await handleHTTP(asyncChannel: value.http, logger: logger)
        // The client may have gone before its request was done with.
        value.claim.release()
    }

    private static let headLimits: NIOHTTPDecoderLimitConfiguration = {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = 16 << 10
        limits.maxHeaderListSize = 64 << 10
        limits.maxHeaderFieldCount = 256
        return limits
    }()
}
