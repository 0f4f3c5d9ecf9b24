import Logging
import Settle
import SettleCore
import SettleHTTP
import ServiceLifecycle

/// Keeps messages from the day they are prepared until they are acknowledged.
///
/// What came by many requests at once is one transaction. All that this process knows beside its table is which messages it
/// has just sent, and what it has just to tell; whatever is lost of that comes due in the table.
struct Centre: Sendable {
    let store: CentreStore
    let relay: Relay<CentreStore>
    let outcomes: OutcomeTeller
    let metrics = CentreMetrics()
    private let preparing: Batcher<NewMessage, Preparation>
    private let confirming: Batcher<String, Confirmation>
    private let acknowledging: Batcher<Acknowledgement, Bool>

    /// - Parameter outcomes: tells producers.
    init(
        store: CentreStore, relay: Relay<CentreStore>, outcomes: OutcomeTeller, failpoints: Failpoints, logger: Logger
    ) {
        self.store = store
        self.relay = relay
        self.outcomes = outcomes
        let metrics = metrics
        preparing = Batcher(limit: 500, concurrency: 2, maxBytes: 32 << 20, size: \.roughSize) { messages in
            try failpoints.reach("centre.beforePrepare")
            let results = try await store.prepare(messages)
            failpoints.reachCommitted("centre.prepared")
            metrics.prepared(results)
            return results
        }
        confirming = Batcher(limit: 500, concurrency: 2) { ids in
            try failpoints.reach("centre.beforeConfirm")
            let (new, results) = try await store.confirm(ids)
            failpoints.reachCommitted("centre.confirmed")
            relay.committed.offer(contentsOf: new)
            metrics.confirmed(new.count)
            return results
        }
        acknowledging = Batcher(limit: 500, concurrency: 2) { said in
            try failpoints.reach("centre.beforeAck")
            // One statement cannot say two things of a message: of two that came at once the first counts.
            var first: [ByteKey: Int] = [:]
            var unique: [Acknowledgement] = []
            for one in said where first[ByteKey(one.id)] == nil {
                first[ByteKey(one.id)] = unique.count
                unique.append(one)
            }
            let (archived, told, isKnown) = try await store.acknowledge(unique)
            failpoints.reachCommitted("centre.acknowledged")
            relay.answered(archived, of: unique.count)
            outcomes.tell(told)
            let known = Set(archived.map { ByteKey($0.businessKey) })
            return said.map { one in
                known.contains(ByteKey(one.id)) || first[ByteKey(one.id)].map { isKnown[$0] } ?? false
            }
        }
        self.logger = logger
    }

    private let logger: Logger

    /// Keeps messages until they are confirmed.
    func prepare(_ messages: [NewMessage]) async throws -> [Preparation] { try await all(messages, preparing) }

    /// Sends messages until they are acknowledged.
    func confirm(_ ids: [String]) async throws -> [Confirmation] { try await all(ids, confirming) }

    /// Archives messages that were consumed; says of each whether the centre knows it.
    func acknowledge(_ said: [Acknowledgement]) async throws -> [Bool] { try await all(said, acknowledging) }

    /// Throws messages away; says of each whether it is discarded now. Those that were sent are rejected to their producers.
    ///
    /// - Parameter confirmedToo: false for what a producer says of messages that it has not confirmed.
    func discard(_ ids: [String], because reason: String, confirmedToo: Bool = true) async throws -> [Bool] {
        let (told, isDiscarded) = try await store.discard(ids, because: reason, confirmedToo: confirmedToo)
        outcomes.tell(told)
        metrics.discarded(isDiscarded.count { $0 })
        logger.notice("messages discarded", metadata: ["messages": "\(ids.count)", "reason": "\(reason)"])
        return isDiscarded
    }

    /// All of one request, beside those of others.
    private func all<Item: Sendable, Outcome: Sendable>(
        _ items: [Item], _ batcher: Batcher<Item, Outcome>
    ) async throws -> [Outcome] {
        try await withThrowingTaskGroup { group in
            for (index, item) in items.enumerated() { group.addTask { (index, try await batcher.submit(item)) } }
            var outcomes = [Outcome?](repeating: nil, count: items.count)
            for try await (index, outcome) in group { outcomes[index] = outcome }
            return outcomes.compactMap(\.self)
        }
    }
}
