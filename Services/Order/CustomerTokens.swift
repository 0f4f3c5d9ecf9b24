import SettleCore
import ShopContract
import Synchronization

/// Whose token a request carries: user-points knows, and what it says is remembered for a short time, so that a busy
/// customer does not cost a question for each order.
///
/// Only right tokens are remembered: whoever tries wrong ones takes up no room.
final class CustomerTokens: Sendable {
    /// For so long a token may still be taken that was replaced.
    static let lifetime: Duration = .seconds(10)
    /// A user's name has at most 256 bytes, so all together take less than 8 MiB.
    static let limit = 10_000

    private struct Known: Hashable {
        let userName: ByteKey
        let tokenHash: String
    }

    private let points: PointsClient
    private let known = Mutex(ShortMemory<Known>(lifetime: CustomerTokens.lifetime, limit: CustomerTokens.limit))

    init(_ points: PointsClient) { self.points = points }

    func isTheirs(_ userName: String, _ token: String) async throws -> Bool {
        let key = Known(userName: ByteKey(userName), tokenHash: SHA256.hexDigest(of: Array(token.utf8)))
        let now = ContinuousClock.now
        if known.withLock({ $0.holds(key, at: now) }) { return true }
        let isTheirs = try await points.isTheirs(CustomerToken(userName: userName, token: token))
        if isTheirs { known.withLock { $0.insert(key, askedAt: now) } }
        return isTheirs
    }
}
