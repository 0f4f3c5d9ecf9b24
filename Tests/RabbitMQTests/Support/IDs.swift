import Synchronization

/// A set that tasks add to at the same time.
final class IDs: Sendable {
    private let ids = Mutex<Set<String>>([])

    func add(_ more: [String]) {
        ids.withLock { $0.formUnion(more) }
    }

    var all: Set<String> { ids.withLock { $0 } }
    var count: Int { ids.withLock { $0.count } }
}
