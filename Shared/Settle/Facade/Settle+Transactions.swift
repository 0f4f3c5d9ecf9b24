import Foundation
import SettlePostgres
import Synchronization

extension Settle {
    struct Participation: Sendable {
        let participant: Participant
        let checkBack: CheckBack
        let ending: PostgresDatabase
    }

    struct Initiation: Sendable {
        let initiator: TransactionInitiator
        let transport: any BranchTransport
        let peers: any ParticipantPeers
    }

    /// Says that the application does parts of global transactions.
    ///
    /// - Parameters:
    ///   - handlers: all that it can do, in all modes.
    ///   - initiators: reaches those who decide.
    ///   - participants: reaches those whom `handlers` call further; nil: they call nobody.
    public func participate(
        _ handlers: [BranchHandler], initiators: any InitiatorPeers, participants: (any BranchTransport)? = nil
    ) {
        let ending = PostgresDatabase(configuration.ending, logger: logger)
        let participant = Participant(
            name: configuration.app, database: database, ending: ending, handlers: handlers,
            participants: participants, settings: configuration.transactions, failpoints: configuration.failpoints,
            actionsCanEnd: whenMigrated, logger: logger)
        let checkBack = CheckBack(participant: participant, peers: initiators, logger: logger)
        registry.add { content in
            precondition(content.participation == nil, "an application takes part once, with all its handlers")
            content.participation = Participation(participant: participant, checkBack: checkBack, ending: ending)
        }
        afterMigrationBlocked { await checkBack.endPrepared() }
    }

    /// Says that the application begins and decides global transactions.
    ///
    /// - Parameters:
    ///   - selfURL: base URL at which participants reach it, for those that do not know it by name.
    ///   - participants: reaches those who do the parts.
    public func initiate(selfURL: String, participants: some ParticipantPeers & BranchTransport) {
        let initiator = TransactionInitiator(
            name: configuration.app, selfURL: selfURL, database: database, participants: participants,
            settings: configuration.transactions, failpoints: configuration.failpoints, logger: logger)
        registry.add { content in
            precondition(content.initiation == nil, "an application is one initiator, for all its participants")
            content.initiation = Initiation(
                initiator: initiator, transport: participants, peers: participants)
        }
    }

    /// The side that decides, for those who write their decision in batches.
    ///
    /// - Precondition: `initiate` was called.
    public var initiator: TransactionInitiator { initiation.initiator }

    var initiation: Initiation {
        guard let initiation = registry.content.initiation else {
            preconditionFailure("call initiate before global transactions are begun")
        }
        return initiation
    }

    /// Runs a global transaction: the participants do their parts, then a local transaction decides.
    ///
    ///     let receipt = try await settle.globally { global in
    ///         try await global.call("wallet", "charge", mode: .tcc, charge, as: Charged.self)
    ///         return try await global.commit { tx in … }
    ///     }
    ///
    /// Only `commit` makes what `body` must return, so a decision cannot be forgotten. If `body` throws, what the
    /// participants have done is rolled back before this throws on, or, if they cannot be reached soon, afterwards.
    ///
    /// - Precondition: `initiate` was called.
    /// - Throws: what `body` throws; `TransactionTooLate`; `DeclaredAborted`. Then nothing is done, but after a
    ///   `PostgresError` that `.commitUnknown`: the participants find out.
    public func globally<R: Sendable>(_ body: (Global) async throws -> Committed<R>) async throws -> R {
        let initiation = initiation
        try await waitUntilMigrated()
        do {
            return try await initiation.initiator.run { transaction in
                let global = Global(transaction: transaction, initiation: initiation, settle: self)
                return try await body(global).result
            }
        } catch let committed as TransactionCommitted {
            // Only the word of the commit was lost on its way.
            if let unsure = committed.error as? CommitUnknown, let result = unsure.result as? R { return result }
            throw committed.error
        } catch let unsure as CommitUnknown {
            throw unsure.error
        }
    }

    /// A global transaction in the hands of its initiator.
    public struct Global: Sendable {
        /// The transaction itself.
        public let transaction: GlobalTransaction
        fileprivate let initiation: Initiation
        fileprivate let settle: Settle

        /// Its name, the same at everyone who takes part.
        public var xid: XID { transaction.xid }

        /// Has a participant do its part.
        ///
        /// - Parameters:
        ///   - participant: its name; configuration knows where it is.
        ///   - action: what it shall do.
        ///   - mode: how, so that it can still be undone.
        ///   - request: what the action needs to know; sent as JSON.
        ///   - as: what it answers; the context says it where this is left out.
        /// - Throws: `BranchRefusal` when it said no. After any other error the global transaction can only be rolled back.
        @discardableResult
        public func call<Answer: Decodable & Sendable>(
            _ participant: String, _ action: String, mode: BranchMode, _ request: some Encodable,
            as: Answer.Type = Answer.self
        ) async throws -> Answer {
            try await BranchCalls(transaction.caller, over: initiation.transport).call(
                participant, action, mode: mode, request)
        }

        /// Decides: the global transaction is committed if, and only if, this local transaction is.
        public func commit<R: Sendable>(
            _ body: @escaping @Sendable (borrowing Transaction) throws -> R
        ) async throws -> Committed<R> {
            let last = LastResult<R>()
            do {
                return Committed(
                    result: try await settle.transaction { [initiation, transaction] local in
                        let result = try body(local)
                        try initiation.initiator.decide([transaction], in: local.postgres)
                        last.value.withLock { $0 = result }
                        return result
                    })
            } catch let error as PostgresError {
                if let declared = DeclaredAborted(error) { throw declared }
                guard error.kind == .commitUnknown else { throw error }
                throw CommitUnknown(error: error, result: last.value.withLock { $0 })
            }
        }
    }

    /// The proof that a global transaction was decided, with what its local transaction returned.
    public struct Committed<R: Sendable>: Sendable {
        fileprivate let result: R
    }
}

private final class LastResult<R: Sendable>: Sendable {
    let value = Mutex<R?>(nil)
}

/// The connection was lost as the commit was on its way.
private struct CommitUnknown: Error {
    let error: PostgresError
    /// What it returns if it is committed.
    let result: (any Sendable)?
}
