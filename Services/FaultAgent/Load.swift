import Foundation
import SettleCore

/// The orders of a trial. Who gets no answer, or is told to come again, asks once more with the same key.
actor Load {
    struct Counts: Encodable, Sendable {
        var sent = 0
        /// Answered with an order.
        var placed = 0
        /// Refused for good.
        var refused = 0
        /// Nobody answered within the time.
        var unanswered = 0
    }

    private static let backoff = Backoff(initial: .milliseconds(200), cap: .seconds(2))

    private let shop: Shop
    private(set) var counts = Counts()
    private(set) var askedAgain = 0
    /// The ids of those that were answered with an order.
    private(set) var placed: Set<String> = []  // ours

    init(_ shop: Shop) { self.shop = shop }

    var underway: Int { counts.sent - counts.placed - counts.refused - counts.unanswered }

    /// Places `count` orders, one every `pace`, and waits for their answers, for each at most `patience`.
    func run(_ count: Int, kinds: [OrderKind], pace: Duration, patience: Duration) async {
        await withDiscardingTaskGroup { group in
            for number in 0..<count {
                group.addTask { await self.place(kinds[number % kinds.count].body(number), patience) }
                // Cancelled: what is sent is still waited for, each ends soon.
                guard (try? await Task.sleep(for: pace)) != nil else { break }
            }
        }
    }

    private func place(_ body: String, _ patience: Duration) async {
        counts.sent += 1
        let key = "trial-\(UUID().uuidString.lowercased())"
        let end = ContinuousClock.now + patience
        for attempt in 1... {
            var isAnswered = false
            // What cannot be read is as no answer.
            switch (try? await shop.place(body, key: key)) ?? .later(isAnswered: false) {
            case .placed(let id):
                counts.placed += 1
                placed.insert(id)
                return
            case .refused:
                counts.refused += 1
                return
            case .later(let hasAnswered): isAnswered = hasAnswered
            }
            guard ContinuousClock.now < end, (try? await Task.sleep(for: Self.backoff.delay(attempt: attempt))) != nil
            else {
                if isAnswered { counts.refused += 1 } else { counts.unanswered += 1 }
                return
            }
            askedAgain += 1
        }
    }
}
