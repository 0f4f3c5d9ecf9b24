public import SettleServiceKit
import SettlePostgres
public import ServiceLifecycle
public import Settle

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
        let settings = try TransactionSettings.table.read(boot.reader)
        // An undo takes as long as it takes, and a server at work on one is not a server that hangs.
        configuration.statementTimeout = settings.endTimeout
        let ending = PostgresDatabase(configuration, logger: boot.logger)
        participant = Participant(
            name: boot.name, database: infrastructure.database, ending: ending, handlers: handlers,
            settings: settings, failpoints: failpoints,
            actionsCanEnd: { [migration = infrastructure.migration] in migration.isDone }, logger: boot.logger)
        let initiators =
            try ParticipantSettings.table(initiators: defaults).read(boot.reader).initiators
            ?? ServiceDirectory(try defaults.map { ($0.name, try boot.settings.url(of: $0)) })
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
