import Testing

@testable import SettleRabbitMQ

@Suite struct AMQPURLTests {
    @Test func everythingHasADefaultButTheHost() throws {
        let endpoint = try AMQPURL("amqp://broker").endpoint
        #expect(
            endpoint
                == BrokerEndpoint(
                    host: "broker", port: 5672, user: "guest", password: "guest", virtualHost: "/", tls: nil))
        #expect(try AMQPURL("amqp://broker/").endpoint == endpoint)
    }

    @Test func partsAreDecoded() throws {
        let endpoint = try AMQPURL("amqp://us%40er:p%2Fw%3A@[::1]:1234/a%2Fb").endpoint
        #expect(
            endpoint
                == BrokerEndpoint(
                    host: "::1", port: 1234, user: "us@er", password: "p/w:", virtualHost: "a/b", tls: nil))
    }

    @Test func tlsVerifiesUnlessToldOtherwise() throws {
        let plain = try AMQPURL("amqps://broker").endpoint
        #expect(plain.port == 5671)
        #expect(plain.tls == BrokerTLS(verifiesPeer: true))
        let url = "amqps://broker?cacertfile=/etc/hosts&certfile=/etc/passwd&keyfile=/etc/group&verify=verify_none"
        #expect(
            try AMQPURL(url).endpoint.tls
                == BrokerTLS(
                    authorities: "/etc/hosts", certificate: "/etc/passwd", key: "/etc/group", verifiesPeer: false))
    }

    /// `TLSPolicy`: never weaker than asked for.
    @Test(arguments: [
        "cacertfile=/etc/hosts", "certfile=/etc/passwd&keyfile=/etc/group", "verify=verify_peer", "verify=verify_none",
    ])
    func tlsOnAPlainURLIsRefused(query: String) throws {
        let error = #expect(throws: RabbitMQConfigurationError.self) {
            try RabbitMQConfiguration(url: "amqp://broker?" + query)
        }
        #expect(error?.description.contains("amqps:") == true)
        #expect(throws: Never.self) { try RabbitMQConfiguration(url: "amqps://broker?" + query) }
    }

    @Test func timesAreTaken() throws {
        let configuration = try RabbitMQConfiguration(url: "amqp://broker?heartbeat=3&connection_timeout=250")
        #expect(configuration.heartbeat == .seconds(3))
        #expect(configuration.connectTimeout == .milliseconds(250))
    }

    @Test(arguments: [
        "", "broker", "http://broker", "amqp://", "amqp://broker:99999", "amqp://broker/a/b",
        "amqp://broker?heartbeat=0",
        "amqp://broker?nonsense=1", "amqps://broker?verify=maybe", "amqps://broker?certfile=/c.pem",
        "amqps://broker?cacertfile=", "amqps://broker?verify=", "amqps://broker?cacertfile=/nowhere", "amqp://broker#a",
        "amqp://broker/%zz", "amqp://user:%zz@broker", "amqps://broker?certfile=/etc/passwd",
        "amqp://user:secret%00@broker",
    ])
    func whatCannotBeUsedIsRefused(url: String) {
        #expect(throws: RabbitMQConfigurationError.self) { try RabbitMQConfiguration(url: url) }
    }

    @Test func aPasswordIsNeverShown() throws {
        let configuration = try RabbitMQConfiguration(url: "amqp://user:secret@broker")
        #expect(!"\(configuration)".contains("secret"))
        #expect(!String(reflecting: configuration).contains("secret"))
        let error = #expect(throws: RabbitMQConfigurationError.self) {
            try RabbitMQConfiguration(url: "amqp://user:secret@broker?x=1")
        }
        #expect(error?.description.contains("secret") == false)
    }
}
