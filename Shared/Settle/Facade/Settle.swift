import Foundation
public import Logging
public import ServiceLifecycle
public import SettlePostgres
import SettleRabbitMQ
import SettleRedis
import Synchronization

/// An application's side of everything: its tasks, and its global transactions.
///
///     let settle = try Settle(database: url, broker: amqp, app: "mailer")
///     settle.migrations("mailer", [mailSchema])
///     settle.receive(sendMail, dedupKey: \.id) { mail, tx in tx.add("INSERT INTO mail …") }
///     let application = Application(router: router, services: settle.services)
///
/// First say what the application sends, receives and takes part in; then read `services`, and run them. What needs the
/// database waits until its tables are there.
public final class Settle: Sendable {
    /// What it was made with.
    public let configuration: Configuration
    /// The application's database.
    public let database: PostgresDatabase
    /// The same database on connections of their own, which wait only shortly for a lock: for what messages do.
    public let messageDatabase: PostgresDatabase
    /// Where tasks are put by hand, in a transaction of `database`.
    public let outbox: Outbox
    /// What operators and clients ask about tasks.
    public let tasks: TaskStore
    package let logger: Logger
    let registry: Registry
    package let libraryMigration: StartupStep
    package let migration: StartupStep
    private let assembly = Mutex<Assembly?>(nil)

    /// - Parameters:
    ///   - database: a PostgreSQL URL; the application's own database.
    ///   - broker: an AMQP URI; nil for an application without tasks.
    ///   - app: its name: at the broker and in the database, and by which other services know it.
    ///   - redis: a Redis URL: copies of tasks are told sooner then. Nothing depends on it.
    ///   - token: what requests between services carry, in both directions; needed by an application with routes.
    ///   - selfURL: the base URL at which others reach this application; needed by one that begins global transactions.
    ///   - peers: the base URLs of the services that it shares global transactions with, by their names.
    ///   - logger: where all parts say what happens to them; one that is labelled `app` when left out.
    /// - Throws: what is wrong with a URL, without its password.
    public convenience init(
        database: String, broker: String?, app: String, redis: String? = nil, token: String? = nil,
        selfURL: String? = nil, peers: [String: String] = [:],  // ours
        logger: Logger? = nil
    ) throws {
        var configuration = Configuration(app: app, database: try PostgresConfiguration(url: database))
        configuration.broker = try broker.map { try RabbitMQConfiguration(url: $0) }
        configuration.redis = try redis.map { try RedisConfiguration(url: $0) }
        configuration.token = token
        configuration.selfURL = selfURL
        configuration.peers = peers
        self.init(configuration, logger: logger ?? Logger(label: app))
    }

    /// An application with all that can be set.
    public init(_ configuration: Configuration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
        database = PostgresDatabase(configuration.main, logger: logger)
        messageDatabase = PostgresDatabase(configuration.messages, logger: logger)
        tasks = TaskStore(database: database, schema: configuration.schema, settings: configuration.tasks)
        outbox = Outbox(store: tasks, logger: logger)
        registry = Registry()
        libraryMigration = .migrating("migrate the common tables", configuration, database, logger) { [registry] in
            registry.librarySets(configuration.schema)
        }
        migration = .migrating("migrate", configuration, database, logger) { [registry] in registry.ownSets }
    }

    /// Has the application's own tables made and kept up to date: after Settle's, before everything else.
    public func migrations(_ set: MigrationSet) { registry.add { $0.ownSets.append(set) } }

    /// The same for a set that is called `name` in `settle.migration`.
    public func migrations(_ name: String, _ migrations: [Migration]) {
        self.migrations(MigrationSet(name, migrations))
    }

    /// Has more tables made beside Settle's own: those of its next version, in tests.
    package func libraryMigrations(_ set: MigrationSet) { registry.add { $0.librarySets.append(set) } }

    /// All that must run, in the order of dependency: each begins when those before it have, and stops before them.
    ///
    /// Reading it ends the time for saying what the application does.
    public var services: [any Service] { assembled.services }

    /// Whether all tables are as the application needs them.
    public var isMigrated: Bool { migration.isDone }

    /// Returns when all tables are as the application needs them; throws `CancellationError` when cancelled before.
    public func waitUntilMigrated() async throws {
        if migration.isDone { return }
        guard await migration.waitUntilDone() else { throw CancellationError() }
    }

    /// Whether a request to `path` can be served: those that end global transactions as soon as the common tables are
    /// there, for the application's own may have to wait for just that.
    public func isOpen(_ path: String) -> Bool {
        migration.isDone || (libraryMigration.isDone && path.contains("/transactions"))
    }

    /// What readiness says.
    public var checks: [Check] { assembled.checks }

    var assembled: Assembly {
        assembly.withLock { assembly in
            if let assembly { return assembly }
            let new = Assembly(self, steps: (libraryMigration, migration))
            assembly = new
            return new
        }
    }

    /// Begins when the common tables are there; done when the application's are.
    var whenMigrated: @Sendable () -> Bool { { [migration] in migration.isDone } }

    func afterMigrationBlocked(_ action: @escaping @Sendable () async -> Void) {
        libraryMigration.afterFailure { error in
            if case PostgresMigrationError.blocked = error { await action() }
        }
    }
}

extension StartupStep {
    fileprivate static func migrating(
        _ name: String, _ configuration: Settle.Configuration, _ database: PostgresDatabase, _ logger: Logger,
        _ sets: @escaping @Sendable () -> [MigrationSet]
    ) -> StartupStep {
        StartupStep(name, logger: logger, isPermanent: { ($0 as? PostgresMigrationError)?.isPermanent ?? false }) {
            for set in sets() {
                if configuration.migrates {
                    try await PostgresMigrator.apply(set, on: database)
                } else {
                    try await PostgresMigrator.verify(set, on: database)
                }
            }
        }
    }
}
