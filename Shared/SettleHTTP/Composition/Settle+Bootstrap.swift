public import Settle
import SettlePostgres
import SettleRabbitMQ
import SettleRedis
public import SettleServiceKit

extension Settle {
    /// A service with what its operator has set.
    ///
    /// - Parameters:
    ///   - boot: what the process has made of its settings.
    ///   - routes: all tasks that the service sends or receives: those that may be signed.
    ///   - sendsThem: whether it sends them, and so has the settings of a sender.
    ///   - deadLetters: where messages go that nobody can read.
    ///   - failpoints: where the service's own code may crash on demand, beside the points of Settle.
    /// - Throws: `SettingsError`.
    public convenience init(
        _ boot: Bootstrap, routes: [TaskRoute], sendsThem: Bool = false, deadLetters: DeadLetterRoute,
        failpoints: Set<String> = []
    ) throws {
        var database = try boot.setting("DATABASE_URL") { try PostgresConfiguration(url: boot.settings.databaseURL) }
        database.connections = try DatabaseSettings.table.read(boot.reader).connections
        let messaging = try MessagingSettings.table.read(boot.reader)
        var configuration = Configuration(app: boot.name, database: database)
        configuration.schema = .public
        configuration.broker = try boot.setting("AMQP_URL") { try RabbitMQConfiguration(url: boot.settings.amqpURL) }
        configuration.redis = try boot.setting("REDIS_URL") { try RedisConfiguration(url: boot.settings.redisURL) }
        configuration.deadLetters = deadLetters
        configuration.queueType = messaging.queueType
        configuration.messageLockTimeout = messaging.lockTimeout
        if sendsThem { configuration.tasks = try TaskSettings.table.read(boot.reader) }
        configuration.setAside = try SetAsideSettings.table.read(boot.reader)
        configuration.transactions = try TransactionSettings.table.read(boot.reader)
        configuration.keys = try boot.setting("MESSAGE_KEYS") { try MessageKeys(messaging.keys, for: routes) }
        configuration.failpoints = try FaultSettings.failpoints(boot, known: failpoints)
        self.init(configuration, logger: boot.logger)
    }

    /// Says that the service does parts of global transactions.
    ///
    /// - Parameters:
    ///   - boot: what the process has made of its settings.
    ///   - handlers: all that it can do, in all modes.
    ///   - initiators: those whom it does its part for when `INITIATORS` says nothing else.
    ///   - participants: those whom `handlers` call further.
    public func participate(
        _ boot: Bootstrap, _ handlers: [BranchHandler], initiators: [PeerService], participants: [PeerService] = []
    ) throws {
        let directory =
            try ParticipantSettings.table(initiators: initiators).read(boot.reader).initiators
            ?? ServiceDirectory(try initiators.map { ($0.name, try boot.settings.url(of: $0)) })
        let called = ServiceDirectory(try participants.map { ($0.name, try boot.settings.url(of: $0)) })
        participate(
            handlers, initiators: HTTPTransactionPeers(directory, over: outbound(), token: boot.settings.token),
            participants: participants.isEmpty
                ? nil : HTTPTransactionPeers(called, over: outbound(.branches), token: boot.settings.token))
    }

    /// Says that the service begins and decides global transactions.
    ///
    /// - Parameters:
    ///   - boot: what the process has made of its settings.
    ///   - peer: the service itself, as others know it.
    ///   - participants: those that do the parts.
    public func initiate(_ boot: Bootstrap, as peer: PeerService, participants: [PeerService]) throws {
        let selfURL = try boot.settings.url(of: peer).description
        guard selfURL.utf8.count <= BranchContext.maxInitiatorLength else {
            // Too long a one is refused at the start, not at each transaction.
            throw SettingsError(peer.urlSetting, "at most \(BranchContext.maxInitiatorLength) bytes")
        }
        let directory = ServiceDirectory(try participants.map { ($0.name, try boot.settings.url(of: $0)) })
        initiate(
            selfURL: selfURL,
            participants: HTTPTransactionPeers(directory, over: outbound(), token: boot.settings.token))
    }

    /// Says that the service sends messages through a message centre, and what follows from what their consumers say.
    ///
    /// - Parameters:
    ///   - boot: what the process has made of its settings.
    ///   - centre: the message centre, as others know it.
    ///   - outcome: what follows, in the transaction that archives a message.
    public func produce(
        _ boot: Bootstrap, through centre: PeerService, outcome: MessageOutcomeHandler?
    ) throws -> MessageProducer {
        var settings = try MessageSettings.table.read(boot.reader)
        settings.tasks = configuration.tasks
        return produce(through: try messageCentre(boot, centre), settings: settings, outcome: outcome)
    }

    /// Says that the service compares its books with those of other services, and looks after the branches that they hold.
    ///
    /// - Parameters:
    ///   - boot: what the process has made of its settings.
    ///   - peer: the service itself, as others know it.
    ///   - books: the others, and what it expects of each.
    ///   - business: what it knows of its keys.
    /// - Throws: `SettingsError`.
    public func reconcile(
        _ boot: Bootstrap, as peer: PeerService, _ books: [(peer: PeerService, expected: LedgerSource)],
        business: some ReconciledBusiness
    ) throws {
        let settings = try ReconciliationSettings.table.read(boot.reader)
        guard settings.settling > configuration.transactions.deadline else {
            // What a global transaction has taken would be of no order, until it commits.
            throw SettingsError("reconciliation-settling", "longer than TRANSACTION_DEADLINE is expected")
        }
        let http = outbound()
        let clients = try books.map { (name: $0.peer.name, client: try boot.client($0.peer, over: http)) }
        reconcile(
            zip(books, clients).map {
                ReconciledBook($1.name, HTTPLedgerBook($1.client), expected: expects($0.expected))
            },
            business: business,
            branches: HTTPBranchAudit(clients, initiator: [peer.name, try boot.settings.url(of: peer).description]),
            settings: settings)
    }

    /// The message centre as this service reaches it, for `produce` and `receive`.
    public func messageCentre(_ boot: Bootstrap, _ centre: PeerService) throws -> HTTPMessageCentre {
        HTTPMessageCentre(try boot.client(centre, over: outbound()), as: boot.name)
    }

    /// The HTTP side of the service: its own routes, and those of Settle.
    ///
    /// - Parameters:
    ///   - boot: what the process has made of its settings.
    ///   - checks: its own ones, for readiness.
    ///   - problems: how errors of its own are answered.
    ///   - description: of its own routes, for `GET /openapi.json`; without one there is none.
    ///   - actions: what is said there of each action that it has as a participant.
    ///   - routes: adds its own routes; those of the second argument need the token.
    public func server(
        _ boot: Bootstrap, checks: [HealthCheck] = [], problems: [ProblemMapping] = [],
        description: APIDescription? = nil, actions: [ActionDescription] = [],
        routes: (_ open: ServiceRoutes, _ internal: ServiceRoutes) -> Void
    ) -> HTTPService {
        // A row that is held is another global transaction's only where parts of them are done.
        let parts: [ProblemMapping] = participation == nil ? [] : [.branches]
        let faults = FaultRoutes(configuration.failpoints, logger: boot.logger)
        return HTTPService(
            boot,
            checks: self.checks.map { HealthCheck($0.name, isRequired: $0.isRequired, $0.isWell) } + checks,
            problems: problems + parts + [.transactions, .messages, .ledger, .postgres], isOpen: isOpen,
            description: description.map { own in
                own.adding(
                    describedRoutes.flatMap { type(of: $0).operations }
                        + (participation == nil ? [] : ParticipantRoutes.operations(actions))
                        + (faults == nil ? [] : FaultRoutes.operations))
            }
        ) { open, guarded in
            routes(open, guarded)
            addRoutes(toGuarded: guarded)
            faults?.add(to: guarded)
        }
    }
}
