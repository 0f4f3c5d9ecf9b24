import Foundation
import Settle
import SettleCore
import SettleHTTP
import SettlePostgres

/// The table `message`: all that is done to it goes through here.
struct CentreStore: Sendable {
    let database: PostgresDatabase
    /// Of sending, and of telling outcomes.
    let settings: TaskSettings
    let checking: CentreSettings

    // MARK: What producers and consumers say

    /// Keeps messages; an id that is there already changes nothing.
    func prepare(_ messages: [NewMessage]) async throws -> [Preparation] {
        let rows = try await database.query(
            Self.insertion, Self.parameters(messages) + [.int(checking.checkAfter.milliseconds)])
        var new = try rows.map { try $0.decode(String.self, at: 0) }.byteKeys
        // An id that comes twice in the batch is new once.
        if new.count == messages.count { return messages.map { _ in .prepared } }
        // A statement of its own, and so a later snapshot: it sees what the insert waited for.
        let same = try await database.query(Self.comparison, Self.parameters(messages)).map {
            try $0.decode(Bool?.self, at: 0)
        }
        return zip(messages, same).map { message, isSame in
            // Purged in between: kept long ago.
            guard isSame ?? true else { return .differs }
            return new.remove(ByteKey(message.id)) == nil ? .known : .prepared
        }
    }

    /// Leases those that were not confirmed before to the caller, to be sent.
    func confirm(_ ids: [String]) async throws -> (new: [OutgoingTask], results: [Confirmation]) {
        let begin = ContinuousClock.now
        let new = try await database.query(Self.confirmation, [.texts(ids), .int(settings.lease.milliseconds)])
            .map { try OutgoingTask(message: $0, leaseEnd: begin + settings.lease) }
        if new.count == ids.count { return (new, ids.map { _ in .confirmed }) }
        let known = try await statuses(of: ids)
        return (
            new,
            ids.map { id in
                guard let known = known[ByteKey(id)] else { return .unknown }
                return known.isConfirmed ? .confirmed : known.status == .discarded ? .discarded : .unknown
            }
        )
    }

    /// Archives messages; says which of them were consumed, now or before.
    ///
    /// - Parameter acknowledgements: no two for one message.
    func acknowledge(
        _ acknowledgements: [Acknowledgement]
    ) async throws -> (archived: [AnsweredTask], outcomes: [Outcome], isKnown: [Bool]) {
        let rows = try await database.query(
            Self.acknowledgement,
            [
                .texts(acknowledgements.map(\.id)), .texts(acknowledgements.map(\.rejection)),
                .int(settings.lease.milliseconds),
            ])
        let archived = try rows.map { row in
            let outcome = try Outcome(row: row)
            let age = try row.decode(Double.self, at: Outcome.columnCount + 1)
            return (
                AnsweredTask(
                    id: outcome.number, taskType: outcome.artist, businessKey: outcome.id, requestBody: "",
                    answer: outcome.rejection.map { .rejected(reason: $0) } ?? .finished, traceParent: nil, age: age),
                try row.decode(Bool.self, at: Outcome.columnCount) ? outcome : nil
            )
        }
        var isKnown = acknowledgements.map { _ in true }
        if archived.count < acknowledgements.count {
            let known = try await statuses(of: acknowledgements.map(\.id))
            isKnown = acknowledgements.map {
                let status = known[ByteKey($0.id)]?.status
                return status == .finished || status == .rejected
            }
        }
        return (archived.map(\.0), archived.compactMap(\.1), isKnown)
    }

    /// Throws messages away; those that were confirmed are rejected to their producers.
    ///
    /// - Parameter confirmedToo: false leaves those alone.
    /// - Returns: the outcomes that are to be told, and which messages are discarded, now or before.
    func discard(
        _ ids: [String], because reason: String, confirmedToo: Bool
    ) async throws -> (outcomes: [Outcome], isDiscarded: [Bool]) {
        let rows = try await database.query(
            Self.discarding, [.texts(ids), .text(reason), .bool(confirmedToo), .int(settings.lease.milliseconds)])
        let outcomes = try rows.map { (try Outcome(row: $0), try $0.decode(Bool.self, at: Outcome.columnCount)) }
        let known = try await statuses(of: ids)
        return (outcomes.filter(\.1).map(\.0), ids.map { known[ByteKey($0)]?.status == .discarded })
    }

    private func statuses(of ids: [String]) async throws -> [ByteKey: (status: MessageStatus, isConfirmed: Bool)] {
        try await database.query(Self.statuses, [.texts(ids)]).reduce(into: [:]) { known, row in
            guard let status = MessageStatus(rawValue: try row.decode(String.self, at: 1)) else { return }
            known[ByteKey(try row.decode(String.self, at: 0))] = (status, try row.decode(Bool.self, at: 2))
        }
    }

    // MARK: What is due

    /// Leases the messages that are due to be asked about; parks instead those whose checks are used up.
    func claimChecks() async throws -> (questions: [Question], parked: [Question]) {
        let rows = try await database.query(
            Self.claimChecks(settings.batchSize),
            [.int(checking.maxChecks), .int(checking.checkAfter.milliseconds), .int(checking.checkCap.milliseconds)])
        let claimed = try rows.map { (try Question(row: $0), try $0.decode(Bool.self, at: Question.columnCount)) }
        return (claimed.filter { !$0.1 }.map(\.0), claimed.filter(\.1).map(\.0))
    }

    /// Their producer said nothing: what was counted as a check was none.
    func notChecked(_ numbers: [Int64]) async throws {
        _ = try await database.query(Self.notChecked, [.int64s(numbers)])
    }

    /// Leases outcomes that are due to be told.
    func claimOutcomes() async throws -> [Outcome] {
        try await database.query(
            Self.claimOutcomes(settings.batchSize),
            [.int(settings.lease.milliseconds), .int(checking.checkCap.milliseconds)]
        ).map(Outcome.init(row:))
    }

    /// Their producers have them.
    func told(_ numbers: [Int64]) async throws {
        _ = try await database.query(Self.told, [.int64s(numbers)])
    }

    private static func parameters(_ messages: [NewMessage]) -> [PostgresValue] {
        [
            .texts(messages.map(\.id)), .texts(messages.map(\.artist)), .texts(messages.map(\.exchange)),
            .texts(messages.map(\.routingKey)), .texts(messages.map(\.msg)), .texts(messages.map(\.paramMap)),
            .texts(messages.map(\.headers)), .texts(messages.map { $0.wantsOutcome ? "true" : "false" }),
        ]
    }
}

/// What a consumer says, checked.
struct Acknowledgement: Sendable {
    let id: String
    /// Nil when it is done.
    let rejection: String?
}
