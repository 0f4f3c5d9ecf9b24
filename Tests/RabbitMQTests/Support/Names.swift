import Foundation
import SettleRabbitMQ

/// An exchange and a queue that only one test knows.
struct Names {
    let exchange: String
    let queue: String
    let key = "key"

    init() {
        let id = UUID().uuidString.prefix(8)
        exchange = "test.\(id)"
        queue = "test.\(id)"
    }

    func topology(_ kind: Topology.Queue.Kind = .classic, _ arguments: [String: Topology.Queue.Argument] = [:])
        -> Topology
    {
        Topology(
            exchanges: [.init(name: exchange)], queues: [.init(name: queue, kind: kind, arguments: arguments)],
            bindings: [.init(queue: queue, exchange: exchange, routingKey: key)])
    }

    func message(_ number: Int, body: String? = nil) -> OutboundMessage {
        OutboundMessage(
            exchange: exchange, routingKey: key, messageID: "\(number)", body: Array((body ?? "{\"n\":\(number)}").utf8)
        )
    }
}
