import SettleCore
import CSettleRabbitMQ

extension AMQPConnection {
    static func openSocket(
        on handle: amqp_connection_state_t, _ configuration: RabbitMQConfiguration
    ) throws(AMQPError) {
        let endpoint = configuration.endpoint
        let socket: OpaquePointer
        if let tls = endpoint.tls {
            guard let made = unsafe amqp_ssl_socket_new(handle) else { throw .library("no TLS", during: "connecting") }
            unsafe socket = made
            try unsafe prepare(socket, tls)
        } else {
            guard let made = unsafe amqp_tcp_socket_new(handle) else {
                throw .library("out of memory", during: "connecting")
            }
            unsafe socket = made
        }
        var timeout = configuration.connectTimeout.timeval
        try check(
            unsafe amqp_socket_open_noblock(socket, endpoint.host, Int32(endpoint.port), &timeout),
            during: "connecting")
    }

    private static func prepare(_ socket: OpaquePointer, _ tls: BrokerTLS) throws(AMQPError) {
        unsafe amqp_ssl_socket_set_verify_peer(socket, tls.verifiesPeer ? 1 : 0)
        unsafe amqp_ssl_socket_set_verify_hostname(socket, tls.verifiesPeer ? 1 : 0)
        try check(
            unsafe amqp_ssl_socket_set_ssl_versions(socket, AMQP_TLSv1_2, AMQP_TLSvLATEST),
            during: "asking for TLS 1.2")
        if tls.verifiesPeer {
            // librabbitmq before 0.14 cannot be told to use OpenSSL's default paths.
            guard let file = tls.authorities ?? TLSPolicy.systemAuthorities() else {
                throw .library("no file of certificate authorities found; name one in cacertfile", during: "connecting")
            }
            try check(unsafe amqp_ssl_socket_set_cacert(socket, file), during: "reading the authorities' file")
        }
        if let certificate = tls.certificate, let key = tls.key {
            try check(unsafe amqp_ssl_socket_set_key(socket, certificate, key), during: "reading certificate and key")
        }
    }
}
