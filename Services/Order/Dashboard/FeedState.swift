import Foundation

/// What the page shows of all orders, once a second.
struct FeedState: Encodable, Sendable {
    /// Orders of the last ten seconds.
    struct Recent: Encodable, Sendable {
        var placed = 0
        var settled = 0
        var cancelled = 0
    }

    struct Waiting: Encodable, Sendable {
        /// Counted up to a thousand.
        var pending = 0
        /// Likewise.
        var parked = 0
        /// Decisions that not every participant has confirmed; likewise.
        var unconfirmed = 0
    }

    /// Milliseconds from a task's commit to its archive, of the last hundred.
    struct Latency: Encodable, Sendable {
        let p50: Double
        let p99: Double
    }

    struct Participant: Encodable, Sendable {
        let name: String
        let isUp: Bool
        var undecided = 0
        var deadLetters = 0
        var setAside = 0
    }

    let at: Date
    var recent = Recent()
    var waiting = Waiting()
    var latency: Latency?
    var participants: [Participant] = []
    /// The latest first; nil where customers are told apart and the page has no session.
    var orders: [Order]?
}
