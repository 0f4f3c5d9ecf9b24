import SettleCore

/// Forgets archived tasks that were answered longer ago than the retention, where one is set.
final class TaskHistoryPurge<Store: RelayStore>: Sendable {
    private let store: Store
    private let retention: Duration
    private let walk = PurgeWalk<Int64>()

    init(store: Store, retention: Duration) {
        self.store = store
        self.retention = retention
    }

    /// One round; returns how many were forgotten.
    func round() async throws -> Int {
        try await walk.round(batchSize: store.settings.batchSize) {
            try await store.purge(after: $0, retention: retention)
        }
    }
}
