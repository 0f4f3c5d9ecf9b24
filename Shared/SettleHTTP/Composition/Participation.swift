public import SettleServiceKit
public import ArgumentParser
import SettlePostgres
public import ServiceLifecycle
public import Settle

/// The flags of a service that takes part in global transactions.
public struct TransactionOptions: ParsableArguments {
    @Option(help: "How long a global transaction may take until its decision (TRANSACTION_DEADLINE, default 10s).")
    var transactionDeadline: String?
    @Option(
        help: "When a participant asks about a branch it has heard nothing of (TRANSACTION_CHECK_AFTER, default 3s).")
    var transactionCheckAfter: String?
    @Option(help: "How long a branch waits for a row that another transaction holds (ROW_LOCK_TIMEOUT, default 2s).")
    var rowLockTimeout: String?
    @Option(
        help: """
            How long ended branches and decisions are kept, to recognise late copies (TRANSACTION_RETENTION, default 24h).
            """)
    var transactionRetention: String?
    @Option(help: "How many changes of rows a branch in mode 'at' may make (TRANSACTION_MAX_ROWS, default 10000).")
    var transactionMaxRows: String?

    /// No flags given.
    public init() {}

    /// For `ServiceMain.run`.
    public var flags: [String: String?] {
        [
            "transaction-deadline": transactionDeadline, "transaction-check-after": transactionCheckAfter,
            "row-lock-timeout": rowLockTimeout, "transaction-retention": transactionRetention,
            "transaction-max-rows": transactionMaxRows,
        ]
    }

    /// What the flags and the environment say.
    public static func settings(_ boot: Bootstrap) throws -> TransactionSettings {
        var settings = TransactionSettings()
        let sensible = Duration.milliseconds(10)...Duration.seconds(24 * 3600)
        settings.deadline = try boot.reader.duration("transaction-deadline", default: settings.deadline, in: sensible)
        settings.checkAfter = try boot.reader.duration(
            "transaction-check-after", default: settings.checkAfter, in: sensible)
        settings.lockTimeout = try boot.reader.duration("row-lock-timeout", default: settings.lockTimeout, in: sensible)
        settings.retention = try boot.reader.duration(
            "transaction-retention", default: settings.retention, in: .milliseconds(10) ... .seconds(366 * 24 * 3600))
        guard settings.retention > settings.deadline else {
            throw SettingsError("transaction-retention", "longer than TRANSACTION_DEADLINE is expected")
        }
        settings.maxRows = try boot.reader.integer(
            "transaction-max-rows", default: settings.maxRows, in: 1...1_000_000)
        return settings
    }
}

/// The flags of a service that does parts of global transactions.
public struct ParticipantOptions: ParsableArguments {
    @Option(
        help: """
            Who decides: names, and where each is asked, as NAME=URL, NAME=URL (INITIATORS, default order=$ORDER_URL).
            """)
    var initiators: String?

    /// No flags given.
    public init() {}

    /// For `ServiceMain.run`.
    public var flags: [String: String?] { ["initiators": initiators] }
}

/// A service as a participant of global transactions.
public struct Participation: Sendable {
    /// What its routes call.
    public let participant: Participant
    /// Whom it does its part for, and what operators ask.
    public let checkBack: CheckBack
    /// In the order of dependency.
    public let services: [any Service]

    /// - Parameters:
    ///   - handlers: what it can do.
    ///   - initiators: those whom it does its part for when `INITIATORS` says nothing else.
    ///   - outbound: for asking initiators.
    public init(
        _ boot: Bootstrap, _ infrastructure: Infrastructure, handlers: [BranchHandler],
        initiators defaults: [PeerService], failpoints: Failpoints, over outbound: OutboundHTTP
    ) throws {
        var configuration = infrastructure.configuration
        configuration.name = "ending"
        configuration.connections = 4
        let settings = try TransactionOptions.settings(boot)
        // An undo takes as long as it takes, and a server at work on one is not a server that hangs.
        configuration.statementTimeout = settings.endTimeout
        let ending = PostgresDatabase(configuration, logger: boot.logger)
        participant = Participant(
            name: boot.name, database: infrastructure.database, ending: ending, handlers: handlers,
            settings: settings, failpoints: failpoints,
            actionsCanEnd: { [migration = infrastructure.migration] in migration.isDone }, logger: boot.logger)
        let initiators = try ServiceDirectory(
            boot.reader, "initiators", default: try defaults.map { ($0.name, try boot.settings.url(of: $0)) })
        let checkBack = CheckBack(
            participant: participant,
            peers: HTTPTransactionPeers(initiators, over: outbound, token: boot.settings.token), logger: boot.logger)
        self.checkBack = checkBack
        services = [ending, infrastructure.afterLibraryMigration(checkBack)]
        infrastructure.libraryMigration.afterFailure { error in
            if case PostgresMigrationError.blocked = error { await checkBack.endPrepared() }
        }
    }

    /// Readiness says when mode `xa` cannot work; the other modes do.
    public var checks: [HealthCheck] {
        [
            HealthCheck("xa", isRequired: false) { [participant] in
                // Away or unable is the same to readiness; the postgres check tells them apart.
                (try? await participant.isXASupported()) ?? false
            }
        ]
    }
}

extension Bootstrap {
    /// The base URL that participants ask for decisions; too long a one is refused at the start, not at each transaction.
    ///
    /// - Parameter peer: this service itself, as others know it.
    public func initiatorURL(_ peer: PeerService) throws(SettingsError) -> String {
        let url = try settings.url(of: peer).description
        guard url.utf8.count <= BranchContext.maxInitiatorLength else {
            throw SettingsError(peer.urlSetting, "at most \(BranchContext.maxInitiatorLength) bytes")
        }
        return url
    }
}
