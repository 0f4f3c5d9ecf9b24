import SettleRabbitMQ

@testable import Settle

// A batch as the broker would hand it over.
extension TaskReceiver {
    func handle(_ deliveries: [Delivery]) async throws { try await subscription().handler(deliveries) }
}

extension AnswerReceiver {
    func handle(_ deliveries: [Delivery], of route: TaskRoute = TestRoute().task) async throws {
        try await subscription(to: route).handler(deliveries)
    }
}
