import CSettleRabbitMQ
import Foundation

extension AMQPConnection {
    static func check(_ status: Int32, during what: String) throws(AMQPError) {
        guard status != AMQP_STATUS_OK.rawValue else { return }
        throw .library(AMQPError.text(of: status), during: what)
    }

    static func check(_ reply: amqp_rpc_reply_t, during what: String) throws(AMQPError) {
        switch unsafe reply.reply_type {
        case AMQP_RESPONSE_NORMAL: return
        case AMQP_RESPONSE_LIBRARY_EXCEPTION:
            throw .library(AMQPError.text(of: unsafe reply.library_error), during: what)
        case AMQP_RESPONSE_SERVER_EXCEPTION:
            switch unsafe FrameReader.method(reply.reply) {
            case .connectionClosed(let code, let text): throw .connectionClosed(code: code, text: text)
            case .channelClosed(let code, let text): throw .channelClosed(code: code, text: text)
            default: throw .unexpected("a method instead of the answer while \(what)")
            }
        default: throw .library("the broker closed the socket", during: what)
        }
    }
}

extension AMQPError {
    static func text(of status: Int32) -> String {
        unsafe amqp_error_string2(status).map { unsafe String(cString: $0) } ?? "error \(status)"
    }

    static func systemText() -> String {
        unsafe strerror(errno).map { unsafe String(cString: $0) } ?? "error \(errno)"
    }
}
