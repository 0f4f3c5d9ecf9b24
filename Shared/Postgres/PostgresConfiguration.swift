/// Where the database is and how its connections behave.
public struct PostgresConfiguration: Sendable {
    /// What its metrics carry as the label `pool`: a service may have several pools.
    public var name = "main"
    /// How many connections, each with its own thread. More is slower: a server core does one thing at a time.
    public var connections = 8
    /// How many jobs may wait for a connection before `.overloaded` is answered at once.
    public var maxWaiting = 4096
    /// About how many bytes the jobs that wait may keep together before `.overloaded` is answered at once; a single one
    /// may have more.
    public var maxWaitingBytes = 64 * 1024 * 1024
    /// How long a job may wait for a connection before `.overloaded` is answered, by a fifth later at most.
    public var waitTimeout: Duration = .seconds(5)
    /// How long one attempt to connect may take (libpq's `connect_timeout`: whole seconds, at least two).
    public var connectTimeout: Duration = .seconds(5)
    /// How long the server lets one statement run, unless the URL's `options` say otherwise; zero turns the limit off.
    ///
    /// The client itself waits as long as the server's limit says when the connection opens, whoever set that one, and a
    /// little longer; then it has the server cancel what runs, and gives the connection up if that does not help.
    public var statementTimeout: Duration = .seconds(30)
    /// How long the server lets a transaction stand open without a statement; zero turns the limit off.
    public var idleInTransactionTimeout: Duration = .seconds(30)
    /// How long the server lets a statement wait for one lock; `nil` leaves it to `statementTimeout`.
    public var lockTimeout: Duration?
    /// How the server plans statements.
    public var plans = Plans.automatic
    /// Shown in `pg_stat_activity`, unless the URL names another.
    public var applicationName = "settle"

    /// How the server plans statements; the URL's `options` may say otherwise.
    public enum Plans: Sendable {
        /// As it is set up to.
        case automatic
        /// Each statement once for a connection, whatever values come and however many rows there seem to be then, and never
        /// to read a whole table where an index will do.
        ///
        /// For connections whose statements all find their rows by key, over and over. Left to itself the server plans many
        /// of them each time, which takes longer than to run them; and for a table that is small it makes, and keeps, plans
        /// that read all of it, until it is not small any more.
        case byIndex
    }

    /// How much longer than the server's own limits a reply may take before the server counts as hung.
    var patience: Duration = .seconds(10)

    /// The URL's settings, taken apart by libpq.
    let settings: ConnectionSettings

    /// Reads a PostgreSQL URL: `postgresql://user:password@host:port/database?sslmode=verify-full`, with any of
    /// libpq's parameters.
    ///
    /// Without `sslmode` (in the URL, or as `PGSSLMODE`) the connection is plain text; with `verify-full` or `verify-ca`
    /// and no `sslrootcert` the system's certificate authorities are used. See `TLSPolicy`.
    public init(url: String) throws(PostgresConfigurationError) {
        settings = try ConnectionSettings(url: url)
    }
}

extension PostgresConfiguration: CustomStringConvertible, CustomDebugStringConvertible {
    /// The host, port, database and user; never the password.
    public var description: String { settings.description }
    /// The same as `description`.
    public var debugDescription: String { description }
}
