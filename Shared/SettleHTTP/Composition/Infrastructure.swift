public import SettleServiceKit
public import SettlePostgres
public import SettleRedis
public import ServiceLifecycle
import Settle

/// The servers a service stands on, from its settings: its database, with its tables up to date, and Redis.
public struct Infrastructure: Sendable {
    /// The service's own database.
    public let database: PostgresDatabase
    /// How it is reached, for a second pool.
    let configuration: PostgresConfiguration
    /// A fast path, never the truth.
    public let redis: RedisClient
    /// Done once the common module's tables are as it needs them: then global transactions can end here, and be decided.
    public let libraryMigration: StartupStep
    /// Done once all tables are as the service needs them. It may have to wait for branches of global transactions that
    /// hold rows, and these end meanwhile.
    public let migration: StartupStep

    /// - Parameters:
    ///   - library: sets of the common module's migrations with their names, applied first, in this order.
    ///   - migrations: the service's own sets.
    public init(
        _ boot: Bootstrap, library: [(set: String, migrations: [Migration])],
        migrations: [(set: String, migrations: [Migration])]
    ) throws {
        var configuration = try boot.setting("DATABASE_URL") {
            try PostgresConfiguration(url: boot.settings.databaseURL)
        }
        configuration.applicationName = boot.name
        configuration.connections = try DatabaseSettings.table.read(boot.reader).connections
        // A row that a prepared transaction holds must not keep a connection for long; whoever meets it comes again.
        configuration.lockTimeout = .seconds(1)
        self.configuration = configuration
        let database = PostgresDatabase(configuration, logger: boot.logger)
        self.database = database
        var redisConfiguration = try boot.setting("REDIS_URL") { try RedisConfiguration(url: boot.settings.redisURL) }
        redisConfiguration.name = boot.name
        redis = RedisClient(redisConfiguration, logger: boot.logger)
        libraryMigration = Self.step("migrate the common tables", library, database, boot)
        migration = Self.step("migrate", migrations, database, boot)
    }

    private static func step(
        _ name: String, _ sets: [(set: String, migrations: [Migration])], _ database: PostgresDatabase,
        _ boot: Bootstrap
    ) -> StartupStep {
        StartupStep(
            name, logger: boot.logger, isPermanent: { ($0 as? PostgresMigrationError)?.isPermanent ?? false }
        ) {
            for (set, migrations) in sets {
                try await PostgresMigrator.apply(migrations, set: set, on: database)
            }
        }
    }

    /// In the order of dependency.
    public var services: [any Service] {
        [database, libraryMigration, AfterStartup(step: libraryMigration, service: migration), redis]
    }

    /// Whether requests to `path` can be served: those that end global transactions as soon as the common tables are there,
    /// for the service's own may have to wait for just that.
    public func isOpen(_ path: String) -> Bool {
        migration.isDone || (libraryMigration.isDone && path.hasPrefix("/transactions"))
    }

    /// `service`, run once the common module's tables are as it needs them.
    public func afterLibraryMigration(_ service: any Service) -> any Service {
        AfterStartup(step: libraryMigration, service: service)
    }

    /// `service`, run once all tables are as it needs them.
    public func afterMigration(_ service: any Service) -> any Service {
        AfterStartup(step: migration, service: service)
    }

    /// What readiness says of them.
    public var checks: [HealthCheck] {
        [
            HealthCheck("postgres") { [database, migration] in database.isUp && migration.isDone },
            HealthCheck("redis", isRequired: false) { [redis] in redis.isUp },
        ]
    }
}

extension ProblemMapping {
    /// A database that is away, busy or in the middle of a failover is worth another try; all else is our fault.
    public static let postgres = ProblemMapping { error in
        guard let error = error as? PostgresError,
            error.isUnavailable || error.isSerializationConflict || error.isRowHeld
        else { return nil }
        return error.kind == .commitUnknown
            ? .unavailable("the database was lost at the commit: it may be done or not; ask again with the same key")
            : .unavailable("the database is away or busy")
    }
}
