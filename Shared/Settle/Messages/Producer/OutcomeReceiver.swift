import SettleCore
import Foundation
import Logging
import SettlePostgres
import Tracing

/// Takes what consumers said of messages, in batches: each message is archived once, with all that follows.
struct OutcomeReceiver: Sendable {
    /// Who tells waits for an answer; what could not be taken in that time comes again.
    private static let patience: Duration = .seconds(2)

    /// On connections that wait only shortly for a lock.
    let store: MessageStore
    let sender: MessageSender
    let metrics = ProducerMetrics()
    let failpoints: Failpoints
    let logger: Logger
    let handler: MessageOutcomeHandler

    func take(_ said: [MessageOutcome]) async throws -> [UUID] {
        var seen: Set<UUID> = []
        let outcomes = said.filter { seen.insert($0.id).inserted }
        guard !outcomes.isEmpty else { return [] }
        do {
            try await archive(outcomes)
            return outcomes.map(\.id)
        } catch let error as PostgresError where error.isUnavailable {
            throw error
        } catch {
            guard outcomes.count > 1 else { throw error }
            logger.warning("outcomes of messages are taken one by one", metadata: ["error": "\(error)"])
        }
        // One that meets a held row, or follows badly, keeps none of its neighbours waiting.
        let deadline = ContinuousClock.now + Self.patience
        var taken: [UUID] = []
        for outcome in outcomes where .now < deadline {
            do {
                try await archive([outcome])
                taken.append(outcome.id)
            } catch {
                logger.warning(
                    "the outcome of a message could not be taken; it comes again",
                    metadata: ["messageId": "\(outcome.id.uuidString.lowercased())", "error": "\(error)"])
            }
        }
        return taken
    }

    private func archive(_ outcomes: [MessageOutcome]) async throws {
        try failpoints.reach("producer.beforeOutcome")
        let begin = DefaultTracerClock.now
        let settled = try await store.database.transaction { [store, sender, handler] transaction in
            let settled = try store.archive(outcomes, in: transaction)
            if !settled.isEmpty { try handler(transaction, settled, sender) }
            return settled
        }
        failpoints.reachCommitted("producer.outcome")
        metrics.settled(settled, of: outcomes.count)
        MessageTraces.taking(settled, since: begin)
        for message in settled {
            if case .rejected(let reason) = message.answer {
                logger.info("message rejected", metadata: message.metadata.merging(["reason": "\(reason)"]) { $1 })
            } else {
                logger.debug("message finished", metadata: message.metadata)
            }
        }
    }
}

extension SettledMessage {
    fileprivate var metadata: Logger.Metadata {
        ["messageId": "\(id.uuidString.lowercased())", "messageType": "\(type)", "businessKey": "\(businessKey)"]
    }
}
