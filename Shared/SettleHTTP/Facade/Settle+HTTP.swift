public import Hummingbird
public import Settle
import SettleServiceKit

extension Settle {
    /// Says that the application does parts of global transactions, and that it is asked for them by HTTP.
    ///
    /// - Parameters:
    ///   - handlers: all that it can do, in all modes.
    ///   - initiators: the names of those for whom it does its part; `peers` of the configuration says where each is
    ///     asked what it decided.
    ///   - participants: the names of those whom `handlers` call further.
    /// - Throws: `SettingsError` for a name that `peers` does not have, an URL or a token that cannot be used.
    public func participate(
        _ handlers: [BranchHandler], initiators: [String], participants: [String] = []
    ) throws {
        let http = outbound()
        participate(
            handlers, initiators: HTTPTransactionPeers(try directory(initiators), over: http, token: try tokens),
            participants: participants.isEmpty ? nil : try callable(participants))
    }

    /// Says that the application begins and decides global transactions whose participants are called by HTTP.
    ///
    /// - Parameter participants: the names of those that may be called; `peers` of the configuration says where each is.
    /// - Throws: `SettingsError` for a name that `peers` does not have, an URL or a token that cannot be used.
    public func initiate(participants: [String]) throws {
        guard let selfURL = configuration.selfURL.flatMap({ BaseURL($0) })?.description,
            selfURL.utf8.count <= BranchContext.maxInitiatorLength
        else {
            throw SettingsError(
                "selfURL", "a base URL of at most \(BranchContext.maxInitiatorLength) bytes is expected")
        }
        initiate(selfURL: selfURL, participants: try callable(participants))
    }

    private func callable(_ participants: [String]) throws -> HTTPTransactionPeers {
        HTTPTransactionPeers(
            try directory(participants), over: outbound(), calls: outbound(.branches), token: try tokens)
    }

    /// Says that the application sends messages through a message centre that is reached by HTTP.
    ///
    /// - Parameters:
    ///   - centre: its name; `peers` of the configuration says where it is.
    ///   - outcome: what follows from what consumers say; nil when nobody is to be told.
    /// - Throws: `SettingsError` for a name that `peers` does not have, an URL or a token that cannot be used.
    @discardableResult
    public func produce(through centre: String, outcome: MessageOutcomeHandler? = nil) throws -> MessageProducer {
        produce(through: try messageCentre(centre), outcome: outcome)
    }

    /// The message centre of that name, for `produce` and `receive`; `peers` of the configuration says where it is.
    ///
    /// - Throws: as `produce`.
    public func messageCentre(_ name: String) throws -> HTTPMessageCentre {
        guard let url = try directory([name]).url(of: name) else { throw SettingsError("peers", "has no '\(name)'") }
        return HTTPMessageCentre(
            ServiceClient(name, baseURL: url.description, token: try tokens.sent(to: url), over: outbound()),
            as: configuration.app)
    }

    /// Adds what other services and operators ask: the branches, their end, the decisions, the tasks and the dead letters.
    /// All of it needs the token.
    ///
    /// - Parameter group: its path is part of the base URL by which others know the application.
    /// - Throws: `SettingsError` when there is no token, or one that cannot be used.
    public func addRoutes<Context: RequestContext>(to group: RouterGroup<Context>) throws {
        let parts: [ProblemMapping] = participation == nil ? [] : [.branches]
        addRoutes(
            toGuarded: group.group()
                .add(middleware: ProblemMiddleware(mappings: parts + [.transactions, .messages, .ledger, .postgres]))
                .add(middleware: BearerTokenMiddleware(try tokens))
                .add(middleware: OpenMiddleware(isOpen: isOpen)))
    }

    /// The same for a group that asks for tokens, and answers with problem documents, by itself.
    package func addRoutes(toGuarded group: RouterGroup<some RequestContext>) {
        if let participation {
            ParticipantRoutes(participation.participant, checkBack: participation.checkBack).add(to: group)
        }
        for routes in describedRoutes { routes.add(to: group) }
    }

    /// Those that are alike whatever the application does.
    var describedRoutes: [any DescribedRoutes] {
        let all: [(any DescribedRoutes)?] = [
            relay.map { TaskRoutes($0) }, producer.map { ProducerRoutes($0) },
            reconciler.map { ReconciliationRoutes($0) }, book.map { LedgerRoutes($0) },
            setAside.map { DeadLetterRoutes($0) }, decidingSide.map { InitiatorRoutes($0) },
            participation.map { BranchRecordRoutes($0.checkBack) }, DiagnosisRoutes(doctor, migrationBook),
        ]
        return all.compactMap(\.self)
    }

    func outbound(_ options: OutboundHTTP.Options = OutboundHTTP.Options()) -> OutboundHTTP {
        let http = OutboundHTTP(options, logger: logger)
        runs(http)
        return http
    }

    private var tokens: Tokens {
        get throws {
            guard let token = configuration.token else {
                throw SettingsError("token", "is needed by an application that others call, and calls them")
            }
            guard Tokens.isToken(token) else { throw SettingsError("token", "\(Tokens.form) are expected") }
            return Tokens(token)
        }
    }

    private func directory(_ names: [String]) throws(SettingsError) -> ServiceDirectory {
        var services: [(name: String, url: BaseURL)] = []
        for name in names {
            guard let url = configuration.peers[name].flatMap({ BaseURL($0) }) else {
                throw SettingsError("peers", "a base URL of '\(name)' is expected")
            }
            services.append((name, url))
        }
        return ServiceDirectory(services)
    }
}

extension OutboundHTTP.Options {
    /// For calls of branches.
    static var branches: OutboundHTTP.Options {
        var many = OutboundHTTP.Options()
        // As many as may wait at once for a row that all want: who wants another must not queue behind them.
        many.connectionsPerHost = 512
        return many
    }
}

/// Answers 503 as long as the tables are not there.
private struct OpenMiddleware<Context: RequestContext>: RouterMiddleware {
    let isOpen: @Sendable (String) -> Bool

    func handle(
        _ request: Request, context: Context, next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        guard isOpen(request.uri.path) else { throw Problem.unavailable("the service is starting") }
        return try await next(request, context)
    }
}
