import Foundation
import Logging
import SettlePostgres
import SettleSchema
import SettleTestSupport
import Synchronization
import Testing

@testable import Settle

/// Takes money out of a wallet, and has others do so in turn.
struct Payment: Codable, Sendable, Equatable {
    struct Further: Codable, Sendable, Equatable {
        let participant: String
        let mode: BranchMode
        let payment: Payment
        var number: Int?
        /// Whether the error of the call is swallowed.
        var isSwallowed: Bool?
    }

    let wallet: String
    var amount: Int64 = 10
    var further: [Further] = []
    /// Whether all are called at the same time.
    var isAtOnce: Bool?

    var withdrawal: Withdrawal { Withdrawal(wallet: wallet, amount: amount) }

    /// The same, which then has `participant` pay.
    func then(_ participant: String, _ mode: BranchMode, _ payment: Payment, number: Int? = nil) -> Payment {
        var payer = self
        payer.further.append(Further(participant: participant, mode: mode, payment: payment, number: number))
        return payer
    }
}

/// The actions of `ExampleParticipant.swift`, which call others in turn.
private struct PlainPayment: LocalAction {
    func perform(_ request: Payment, in transaction: borrowing PostgresTransaction) throws -> Receipt {
        try PlainWithdrawal().perform(request.withdrawal, in: transaction)
    }
}

private struct ReservedPayment: TCCAction {
    func `try`(_ request: Payment, in transaction: borrowing PostgresTransaction) throws -> Receipt {
        try ReservedWithdrawal().try(request.withdrawal, in: transaction)
    }

    func confirm(_ requests: [Payment], in transaction: borrowing PostgresTransaction) throws {
        try ReservedWithdrawal().confirm(requests.map(\.withdrawal), in: transaction)
    }

    func cancel(_ requests: [Payment], in transaction: borrowing PostgresTransaction) throws {
        try ReservedWithdrawal().cancel(requests.map(\.withdrawal), in: transaction)
    }
}

private struct CompensatedPayment: SagaAction {
    func perform(_ request: Payment, in transaction: borrowing PostgresTransaction) throws -> Receipt {
        try CompensatedWithdrawal().perform(request.withdrawal, in: transaction)
    }

    func compensate(_ requests: [Payment], in transaction: borrowing PostgresTransaction) throws {
        try CompensatedWithdrawal().compensate(requests.map(\.withdrawal), in: transaction)
    }
}

/// Two wallet services, `stock` and `points`, that call each other, and an initiator whose database is `stock`'s.
struct TreeBed {
    let net: TreeNet
    let initiator: TransactionInitiator
    let stock: Member
    let points: Member

    struct Member {
        let database: TestDatabase
        let participant: Participant
        let checkBack: CheckBack
    }

    private static let handlers: [BranchHandler] = {
        let further = FurtherCalls<Payment, Receipt>(if: { !$0.further.isEmpty }) { payment, receipt, calls in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for call in payment.further {
                    let pay = { @Sendable in
                        do {
                            try await calls.call(
                                call.participant, "pay", mode: call.mode, call.payment, number: call.number,
                                as: Receipt.self)
                        } catch  where call.isSwallowed == true {}
                    }
                    if payment.isAtOnce == true { group.addTask { try await pay() } } else { try await pay() }
                }
                try await group.waitForAll()
            }
            return receipt
        }
        return [
            .at("pay", PlainPayment(), then: further), .xa("pay", PlainPayment(), then: further),
            .tcc("pay", ReservedPayment(), then: further), .saga("pay", CompensatedPayment(), then: further),
        ]
    }()

    static func with(
        settings: TransactionSettings = TransactionBed.settings, _ body: (TreeBed) async throws -> Void
    ) async throws {
        let net = TreeNet()
        try await member("stock", net, settings) { stock in
            try await member("points", net, settings) { points in
                let initiator = TransactionInitiator(
                    name: "order", selfURL: TransactionBed.here, database: stock.database.pool, participants: net,
                    settings: settings, logger: quiet)
                net.join(initiator)
                try await body(TreeBed(net: net, initiator: initiator, stock: stock, points: points))
            }
        }
    }

    private static func member(
        _ name: String, _ net: TreeNet, _ settings: TransactionSettings, _ body: (Member) async throws -> Void
    ) async throws {
        try await TestDatabase.with { database in
            try await PostgresMigrator.apply(SettleSchema.transactions, on: database.pool)
            try await PostgresMigrator.apply(SettleSchema.at, on: database.pool)
            try await PostgresMigrator.apply([walletSchema], set: "wallet", on: database.pool)
            try await PostgresMigrator.apply(SettleSchema.branchKey, on: database.pool)
            _ = try await database.pool.query("INSERT INTO wallet (name, balance) VALUES ('ann', 100), ('bob', 100)")
            let ending = try TestDatabase.connect(database.url, connections: 2)
            let participant = Participant(
                name: name, database: database.pool, ending: ending, handlers: handlers, participants: net,
                settings: settings, logger: quiet)
            net.join(name, participant)
            try await serving([ending]) {
                let result: Result<Void, any Error>
                do {
                    result = .success(
                        try await body(
                            Member(
                                database: database, participant: participant,
                                checkBack: CheckBack(participant: participant, peers: net, logger: quiet))))
                } catch {
                    result = .failure(error)
                }
                // A database with prepared transactions cannot be dropped.
                for gid in try await ending.query(
                    "SELECT gid FROM pg_prepared_xacts WHERE database = current_database()")
                {
                    let name = try gid.decode(String.self, at: 0)
                    _ = try await ending.query("ROLLBACK PREPARED '\(name)'")
                }
                try result.get()
            }
        }
    }

    // MARK: What a test does

    /// A global transaction of one call at stock, decided unless `body` throws.
    func place(
        _ mode: BranchMode, _ payment: Payment, _ body: (GlobalTransaction) async throws -> Void = { _ in }
    ) async throws {
        try await initiator.run { transaction in
            try await call("stock", mode, payment, transaction)
            try await body(transaction)
            try await decide(transaction)
        }
    }

    func call(
        _ participant: String, _ mode: BranchMode, _ payment: Payment, _ transaction: GlobalTransaction
    ) async throws {
        try await BranchCalls(transaction.caller, over: net).call(
            participant, "pay", mode: mode, payment, as: Receipt.self)
    }

    func decide(_ transaction: GlobalTransaction) async throws {
        try await stock.database.pool.transaction { [initiator] in try initiator.decide([transaction], in: $0) }
    }

    // MARK: What a test sees

    /// What ann and bob have, at stock and at points, and what is reserved there.
    func balances() async throws -> [Int] {
        var all: [Int] = []
        for member in [stock, points] {
            all += try await member.database.pool.query(
                "SELECT balance, reserved FROM wallet ORDER BY name"
            ).flatMap { [try $0.decode(Int.self, at: 0), try $0.decode(Int.self, at: 1)] }
        }
        return all
    }

    static let untouched = [100, 0, 100, 0, 100, 0, 100, 0]

    /// Nothing is undecided, and all have what they had.
    func expectUntouched(sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let (left, balances) = (try await leftovers(), try await balances())
        #expect(left == 0 && balances == Self.untouched, "\(left), \(balances)", sourceLocation: sourceLocation)
    }

    func leftovers() async throws -> Int {
        var count = 0
        for member in [stock, points] {
            count += try await member.database.number(
                """
                SELECT (SELECT count(*) FROM settle.branch WHERE state = 'undecided')
                     + (SELECT count(*) FROM settle.undo_log)
                     + (SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database())
                """)
        }
        return count
    }

    /// As `TransactionBed.awaitNothingLeft`; with `checkBack` the participants ask meanwhile.
    func awaitNothingLeft(checkBack: Bool = false, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        try await TransactionBed.await(sourceLocation: sourceLocation) {
            if checkBack { for member in [stock, points] { await member.checkBack.check() } }
            return try await leftovers() == 0
        }
    }
}

/// The network between them: it carries calls, their ends and questions, and a test may cut it or have it repeat itself.
final class TreeNet: ParticipantPeers, InitiatorPeers, BranchTransport {
    struct Lost: Error {}

    /// One call, as it came.
    struct Call: Equatable, Sendable {
        let to: String
        let branch: String
        let wait: Int
        let left: Int
        let initiator: [String?]
    }

    /// What becomes of a call.
    enum Fate: Sendable {
        /// It does not get there.
        case lost
        /// It gets there; the answer does not come back.
        case answerLost
        /// It gets there twice, one after the other.
        case twice
        /// It gets there twice at once.
        case twiceAtOnce
    }

    private struct State {
        var participants: [String: Participant] = [:]
        var initiator: TransactionInitiator?
        var fates: [String: Fate] = [:]
        var strangers: Set<String> = []
        var calls: [Call] = []
        var told: [String] = []
    }

    private let state = Mutex(State())

    func join(_ name: String, _ participant: Participant) { state.withLock { $0.participants[name] = participant } }
    func join(_ initiator: TransactionInitiator) { state.withLock { $0.initiator = initiator } }
    func setFate(of calls: String, _ fate: Fate) { state.withLock { $0.fates[calls] = fate } }
    func estrange(_ name: String) { state.withLock { _ = $0.strangers.insert(name) } }

    var calls: [Call] { state.withLock { $0.calls } }
    /// Which branches were called, in order.
    var branches: [String] { calls.map { "\($0.to) \($0.branch)" } }
    /// Who was told an end.
    var told: Set<String> { state.withLock { Set($0.told) } }

    func name(of peer: String) -> String? { state.withLock { $0.strangers.contains(peer) ? nil : peer } }

    func perform(
        _ action: String, _ request: Data, headers: [String: String], timeout: Duration, at participant: String
    ) async throws -> BranchReply<Data> {
        let (called, fate) = state.withLock { state in
            state.calls.append(
                Call(
                    to: participant, branch: headers["Settle-Branch"] ?? "none",
                    wait: headers["Settle-Wait"].flatMap(Int.init) ?? -1,
                    left: headers["Settle-Deadline"].flatMap(Int.init) ?? -1,
                    initiator: [headers["Settle-Initiator"], headers["Settle-Initiator-Name"]]))
            return (state.participants[participant], state.fates[participant])
        }
        guard let called, let context = BranchContext(header: { headers[$0] }) else { throw Lost() }
        let reply = { @Sendable in try await Self.reply(called, action, request, context) }
        switch fate {
        case nil: return try await reply()
        case .lost: throw Lost()
        case .answerLost:
            _ = try await reply()
            throw Lost()
        case .twice:
            _ = try await reply()
            return try await reply()
        case .twiceAtOnce:
            async let one = reply()
            async let other = reply()
            _ = try await one
            return try await other
        }
    }

    private static func reply(
        _ participant: Participant, _ action: String, _ request: Data, _ context: BranchContext
    ) async throws -> BranchReply<Data> {
        do {
            let answer = try await participant.perform(action, request: request, context: context.by("order"))
            return .done(answer.body, enlisted: answer.enlisted)
        } catch let failed as BranchFailed {
            return .failed(failed.error, enlisted: failed.enlisted)
        } catch let refusal as BranchRefusal {
            return .refused(refusal)
        } catch let error as BranchError where error != .prepared {
            return .refused(error)
        }
    }

    func end(_ xids: [XID], verdict: Verdict, at name: String) async throws -> [XID: BranchOutcome] {
        let participant = state.withLock { state in
            state.told.append(name)
            return state.participants[name]
        }
        guard let participant else { throw Lost() }
        return try await verdict == .commit ? participant.commit(xids) : participant.rollBack(xids)
    }

    func decisions(on xids: [XID], onlyRead: Bool, at url: String) async throws -> [XID: Decision] {
        guard let initiator = state.withLock({ $0.initiator }) else { throw Lost() }
        return try await initiator.decisions(on: xids, onlyRead: onlyRead)
    }
}
