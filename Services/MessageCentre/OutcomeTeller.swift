import Logging
import Settle
import SettleCore
import ServiceLifecycle

/// Tells producers what the consumers of their messages said, until they have taken it.
///
/// What this process has just archived is told at once; what is due in the table is claimed, whoever archived it.
final class OutcomeTeller: Service {
    /// As many as a request may hold.
    private static let maxOutcomes = 200

    private let store: CentreStore
    private let producers: any Producers
    private let failpoints: Failpoints
    private let logger: Logger
    private let archived = Mailbox<Outcome>(capacity: 20_000)
    private let signal = Mailbox<Void>(capacity: 1)

    init(store: CentreStore, producers: any Producers, failpoints: Failpoints, logger: Logger) {
        self.store = store
        self.producers = producers
        self.failpoints = failpoints
        self.logger = logger
    }

    /// Has these told soon, once they are committed.
    func tell(_ outcomes: [Outcome]) { archived.offer(contentsOf: outcomes) }

    /// Runs until graceful shutdown; then tells what was archived already, and returns.
    func run() async throws {
        await withGracefulShutdownHandler {
            await withTaskGroup { group in
                group.addTask { await self.tellArchived() }
                group.addTask {
                    while !(await self.signal.take()).isEmpty { await self.tellDue() }
                }
                group.addTask { await Task.every(self.store.settings.scanInterval) { _ = self.signal.offer(()) } }
                await group.next()
                group.cancelAll()
            }
        } onGracefulShutdown: {
            self.archived.close()
            self.signal.close()
        }
    }

    private func tellArchived() async {
        while true {
            let outcomes = await archived.take(atMost: store.settings.batchSize)
            guard !outcomes.isEmpty else { return }
            await send(outcomes)
        }
    }

    private func tellDue() async {
        do {
            let due = try await store.claimOutcomes()
            await send(due)
            if due.count == store.settings.batchSize { signal.offer(()) }
        } catch {
            logger.warning("looking for outcomes to tell failed; next look", metadata: ["error": "\(error)"])
        }
    }

    private func send(_ outcomes: [Outcome]) async {
        // Only names that configuration has were let in.
        let byArtist = Dictionary(grouping: outcomes, by: \.artist)  // ours
        await withDiscardingTaskGroup { group in
            for its in byArtist.values {
                for start in stride(from: 0, to: its.count, by: Self.maxOutcomes) {
                    let batch = Array(its[start..<min(start + Self.maxOutcomes, its.count)])
                    group.addTask { await self.send(together: batch) }
                }
            }
        }
    }

    private func send(together outcomes: [Outcome]) async {
        do {
            let trace = BatchTrace.messages("tell outcome", outcomes.map { ($0.id, $0.headers) })
            defer { trace.end() }
            let taken = try await trace.run { try await producers.tell(outcomes, to: outcomes[0].artist) }
            failpoints.reachCommitted("centre.told")
            try await store.told(outcomes.filter { taken.contains(ByteKey($0.id)) }.map(\.number))
        } catch {
            // They are due in the table, later each time.
            logger.warning(
                "a producer could not be told what became of its messages; it is told again",
                metadata: [
                    "artist": "\(outcomes[0].artist)", "messageId": "\(outcomes[0].id)",
                    "messages": "\(outcomes.count)", "error": "\(error)",
                ])
        }
    }
}
