import SettleCore
import CSettleRabbitMQ
import Foundation

/// One connection to the broker, logged in.
///
/// Safe: the handle is made, used and freed by the one thread that owns this object; it is not Sendable, so the
/// compiler keeps it there. What the library hands out is copied before its next call.
@safe
package final class AMQPConnection {
    /// The socket, to poll on.
    package let descriptor: Int32
    /// The longest that `poll` may wait, so that the library gets to send its heartbeats in time.
    let pollInterval: Duration
    /// The longest that the broker may take nothing in, or say nothing.
    let patience: Duration

    let handle: amqp_connection_state_t
    let arena = Arena()
    private let breaker: SocketBreaker
    private let operationTimeout: Duration

    package init(_ configuration: RabbitMQConfiguration, breaker: SocketBreaker) throws(AMQPError) {
        guard let handle = unsafe amqp_new_connection() else { throw .library("out of memory", during: "connecting") }
        var isReady = false
        defer {
            if !isReady {
                breaker.close()
                _ = unsafe amqp_destroy_connection(handle)
            }
        }
        try unsafe Self.openSocket(on: handle, configuration)
        // Before the login, so that this too can be broken off.
        guard let descriptor = breaker.open(socket: unsafe amqp_get_sockfd(handle)) else {
            throw .library(AMQPError.systemText(), during: "connecting")
        }
        var timeout = configuration.operationTimeout.timeval
        // Both only refuse a null handle or no memory for a number.
        _ = unsafe amqp_set_handshake_timeout(handle, &timeout)
        _ = unsafe amqp_set_rpc_timeout(handle, &timeout)
        let heartbeat = Int32(max(1, min(configuration.heartbeat.seconds, 3600)))
        let endpoint = configuration.endpoint
        let login = unsafe settle_amqp_login(
            handle, endpoint.virtualHost, AMQP_DEFAULT_FRAME_SIZE, heartbeat, configuration.connectionName,
            endpoint.user, endpoint.password)
        try unsafe Self.check(login, during: "logging in")
        isReady = true
        unsafe self.handle = handle
        self.descriptor = descriptor
        self.breaker = breaker
        operationTimeout = configuration.operationTimeout
        // The broker may want heartbeats more often than asked for.
        let interval = Duration.seconds(max(1, Int(unsafe amqp_get_heartbeat(handle))))
        (pollInterval, patience) = (interval / 2, interval * 2)
    }

    deinit {
        breaker.close()
        _ = unsafe amqp_destroy_connection(handle)
    }

    /// Says goodbye, waiting for at most `timeout`; the rest of the connection's end is in `deinit`.
    package func close(timeout: Duration) {
        var timeout = timeout.timeval
        _ = unsafe amqp_set_rpc_timeout(handle, &timeout)
        // The connection ends either way.
        _ = unsafe amqp_connection_close(handle, AMQP_REPLY_SUCCESS)
    }

    /// Frames that are in user space already, which `poll` knows nothing of.
    package var hasBufferedInput: Bool {
        unsafe amqp_frames_enqueued(handle) != 0 || amqp_data_in_buffer(handle) != 0
    }

    /// The next frame that is here, or nil; also sends heartbeats and notices that the broker's do not come.
    package func nextFrame() throws(AMQPError) -> InboundFrame? {
        var frame = unsafe amqp_frame_t()
        var now = timeval()
        let status = writing { unsafe amqp_simple_wait_frame_noblock(handle, &frame, &now) }
        if status == AMQP_STATUS_TIMEOUT.rawValue { return nil }
        try Self.check(status, during: "reading")
        defer { unsafe amqp_maybe_release_buffers_on_channel(handle, frame.channel) }
        return unsafe FrameReader.read(frame)
    }

    /// Runs a call that may write, at most one frame or a small message, under the eye of the breaker.
    ///
    /// The library's own limits do not hold while it writes: before 0.14 a write to a peer that hangs waits for ever.
    func writing<R>(_ call: () -> R) -> R {
        breaker.writing(until: .now + patience)
        defer { breaker.written() }
        return call()
    }

    /// The same for a call that also waits for an answer.
    func asking<R>(_ call: () -> R) -> R {
        breaker.writing(until: .now + patience + operationTimeout)
        defer { breaker.written() }
        return call()
    }

    /// Whether the socket takes data now.
    var isWritable: Bool {
        var descriptors = [pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)]
        return unsafe poll(&descriptors, 1, 0) > 0
    }
}
