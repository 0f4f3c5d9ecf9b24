public import Postgres
public import Redis
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
    /// Done once the tables are as the service needs them.
    public let migration: StartupStep

    /// - Parameter migrations: sets of migrations with their names, applied in this order.
    public init(_ boot: Bootstrap, migrations: [(set: String, migrations: [Migration])]) throws {
        var configuration = try boot.setting("DATABASE_URL") {
            try PostgresConfiguration(url: boot.settings.databaseURL)
        }
        configuration.applicationName = boot.name
        configuration.connections = try boot.reader.integer("database-connections", default: 8, in: 1...200)
        // A row that a prepared transaction holds must not keep a connection for long; whoever meets it comes again.
        configuration.lockTimeout = .seconds(1)
        self.configuration = configuration
        let database = PostgresDatabase(configuration, logger: boot.logger)
        self.database = database
        var redisConfiguration = try boot.setting("REDIS_URL") { try RedisConfiguration(url: boot.settings.redisURL) }
        redisConfiguration.name = boot.name
        redis = RedisClient(redisConfiguration, logger: boot.logger)
        migration = StartupStep("migrate", logger: boot.logger, isPermanent: { $0 is PostgresMigrationError }) {
            for (set, migrations) in migrations {
                try await PostgresMigrator.apply(migrations, set: set, on: database)
            }
        }
    }

    /// In the order of dependency.
    public var services: [any Service] { [database, migration, redis] }

    /// `service`, run once the tables are as it needs them.
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
