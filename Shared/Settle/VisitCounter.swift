import Synchronization

/// How often each named point was reached.
final class VisitCounter: Sendable {
    private let visits = Mutex<[String: Int]>([:])  // ours

    func next(at point: String) -> Int {
        visits.withLock { visits in
            visits[point, default: 0] += 1
            return visits[point, default: 0]
        }
    }
}
