import SettleRabbitMQ
import Synchronization

/// What a consumer's handler got, batch by batch, and a way to wait for it.
final class Received: Sendable {
    private let batches = Mutex<[[Delivery]]>([])

    func add(_ batch: [Delivery]) {
        batches.withLock { $0.append(batch) }
    }

    var all: [[Delivery]] { batches.withLock { $0 } }
    var ids: [String] { all.joined().compactMap(\.messageID) }
    var count: Int { batches.withLock { $0.reduce(0) { $0 + $1.count } } }
}
