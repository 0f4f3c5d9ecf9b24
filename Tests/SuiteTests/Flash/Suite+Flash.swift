import Foundation
import SettleRedis
import SettleTestSupport
import Testing

extension Suite {
    /// Makes or changes a flash product, or one that is none any more; the answer's status.
    @discardableResult
    func putFlash(_ sku: String, price: Int = 100, available: Int, flash: Bool = true) async throws -> Int {
        let answer = try await send(
            "PUT", .stock, "/products/\(sku)",
            json: #"{"title":"\#(sku)","unitPrice":\#(price),"available":\#(available),"flash":\#(flash)}"#,
            authorized: true)
        return answer.status
    }

    /// What Redis counts of a product; nil while it counts nothing.
    func counted(_ sku: String) async throws -> Int? {
        guard let reply = try? await redis.send([RedisCommand(["HGET", "flash:stock", sku])]).first else { return nil }
        return reply.text.flatMap { Int($0) }
    }

    /// Waits until Redis counts what the book says, and nothing is kept for anybody.
    func awaitCounted(_ sku: String, within limit: Duration = .seconds(30)) async throws {
        try await eventually(
            "Redis counts what the book says", within: limit, every: .milliseconds(200),
            otherwise: { "\(String(describing: try? await self.counted(sku))) in Redis" }
        ) {
            // Whoever asks for something has a count made anew that was lost. Nobody has so much.
            _ = try await self.place(OrderDraft("bob", [sku: 1_000_000]))
            guard case .integer(1) = try await self.redis.send([RedisCommand(["HLEN", "flash:kept"])]).first else {
                return false
            }
            return try await self.counted(sku) == self.available(sku)
        }
    }
}
