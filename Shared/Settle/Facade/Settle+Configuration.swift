public import SettlePostgres
public import SettleRabbitMQ
public import SettleRedis

extension Settle {
    /// All that can be set of an application.
    public struct Configuration: Sendable {
        /// Its name: at the broker, in the database, and by which other services know it. Up to 32 letters and dashes.
        public var app: String
        /// The application's own database.
        public var database: PostgresConfiguration
        /// How statements are planned on the connections that the application shares with Settle. Settle's own are made for
        /// `.byIndex`; where the application's depend on values, or read tables as a whole, it may have it otherwise.
        public var plans = PostgresConfiguration.Plans.byIndex
        /// Where the tables of tasks are. All else of Settle's is in `settle`.
        public var schema = SchemaName.settle
        /// False where another tool makes the tables, from the files of `settle-schema`: then they are waited for.
        public var migrates = true
        /// The broker; nil for an application without tasks.
        public var broker: RabbitMQConfiguration?
        /// Copies of tasks are told sooner with it. Nothing depends on it.
        public var redis: RedisConfiguration?
        /// Where messages go that nobody can read.
        public var deadLetters: DeadLetterRoute
        /// The type of the queues.
        public var queueType = Topology.Queue.Kind.classic
        /// How long a batch of messages waits for a lock; what could not be had in time is set aside.
        public var messageLockTimeout: Duration = .milliseconds(80)
        /// How patient the sender of tasks is.
        public var tasks = TaskSettings()
        /// How patient the receiver of messages is.
        public var setAside = SetAsideSettings()
        /// How patient initiators and participants of global transactions are.
        public var transactions = TransactionSettings()
        /// Sign tasks and answers.
        public var keys = MessageKeys.none
        /// Stands around each batch of tasks that is applied, and of answers.
        public var hook: MessageHook?
        /// Crash on demand.
        public var failpoints = Failpoints.none
        /// Whether somebody may plan such crashes while the process runs.
        package var areFaultsSwitched: Bool { !failpoints.switchable.isEmpty }
        /// What requests between services carry, in both directions.
        public var token: String?
        /// The base URL at which others reach this application, or any replica of it.
        public var selfURL: String?
        /// The base URLs of those it shares global transactions with, by name. Nobody else is called: a name in a header
        /// is looked up here, and a URL there is not believed.
        public var peers: [String: String] = [:]  // ours

        /// An application called `app`; all else as it usually is.
        public init(app: String, database: PostgresConfiguration) {
            self.app = app
            self.database = database
            deadLetters = DeadLetterRoute(exchange: "\(app).dead", queue: "\(app).dead")
        }

        var main: PostgresConfiguration {
            var configuration = database
            configuration.applicationName = app
            configuration.plans = plans
            // A row that a prepared transaction holds must not keep a connection for long; who meets it comes again.
            configuration.lockTimeout = .seconds(1)
            return configuration
        }

        var messages: PostgresConfiguration {
            var configuration = main
            configuration.name = "messages"
            // One for each queue that is busy, and one for what was set aside.
            configuration.connections = 4
            configuration.lockTimeout = messageLockTimeout
            return configuration
        }

        var ending: PostgresConfiguration {
            var configuration = main
            configuration.name = "ending"
            configuration.connections = 4
            // An undo takes as long as it takes, and a server at work on one is not a server that hangs.
            configuration.statementTimeout = transactions.endTimeout
            return configuration
        }
    }

    /// What readiness asks about one thing that the application stands on.
    public struct Check: Sendable {
        /// `postgres`, `rabbitmq`, …
        public let name: String
        /// False for what the application can do without.
        public let isRequired: Bool
        /// Whether it is well now.
        public let isWell: @Sendable () async -> Bool
    }
}
