import Foundation
import Hummingbird
import SettlePostgres
import SettleHTTP
import SettleServiceKit
import Settle
import SettleSchema
import SettleTestSupport
import Synchronization
import SettleHTTPTestSupport
import Testing

/// A participant as a service's main puts it together, over a real database, and an initiator that says what it is told to.
struct ParticipantBed {
    static let order = PeerService("order", port: 8080)
    static let serverURL = ProcessInfo.processInfo.environment["SETTLE_TEST_POSTGRES_URL"]

    /// What the initiator says.
    final class Initiator: Sendable {
        private let word = Mutex(Decision.undecided)
        private let questions = Atomic(0)

        var asked: Int { questions.load(ordering: .relaxed) }
        func say(_ decision: Decision) { word.withLock { $0 = decision } }

        @Sendable
        func addRoutes(_ routes: ServiceRoutes) {
            routes.post("transactions/outcomes") { request, context in
                struct Question: Decodable { let xids: [String] }
                let xids = try await requireJSON(Question.self, from: request, context: context).xids
                self.questions.add(1, ordering: .relaxed)
                let decision = self.word.withLock { $0 }
                return try Response.json(
                    ["outcomes": Dictionary(xids.map { ($0, decision) }, uniquingKeysWith: { first, _ in first })])
            }
        }
    }

    let databaseURL: String
    let initiator: Initiator
    let initiatorURL: String
    let outbound: OutboundHTTP

    /// With a database of its own, and an initiator that listens.
    static func with(_ body: (ParticipantBed) async throws -> Void) async throws {
        let server = try #require(serverURL)
        let initiator = Initiator()
        try await LiveService.run(more: initiator.addRoutes) { url, outbound, _ in
            let name = "test_" + UUID().uuidString.lowercased().replacing("-", with: "")
            var parts = try #require(URLComponents(string: server))
            let admin = try connect(server)
            try await serving([admin]) {
                _ = try await admin.query("CREATE DATABASE \(name)")
                parts.path = "/" + name
                let bed = ParticipantBed(
                    databaseURL: try #require(parts.string), initiator: initiator, initiatorURL: url, outbound: outbound
                )
                let result: Result<Void, any Error>
                do { result = .success(try await body(bed)) } catch { result = .failure(error) }
                try await bed.dropPrepared()
                _ = try await admin.query("DROP DATABASE \(name) WITH (FORCE)")
                try result.get()
            }
        }
    }

    static func connect(_ url: String) throws -> PostgresDatabase {
        var configuration = try PostgresConfiguration(url: url)
        configuration.connections = 1
        return PostgresDatabase(configuration, logger: quiet)
    }

    /// The service, of one version; `body` begins at once.
    func service<R: Sendable>(
        library next: [Migration] = [], migrations: [Migration],
        handlers: [BranchHandler] = [.at("take", Take()), .xa("take", Take())],
        _ body: (Settle, HTTPService) async throws -> R
    ) async throws -> R where R: Sendable {
        let reader = SettingsReader(
            environment: TestService.required.merging([
                "DATABASE_URL": databaseURL, "ORDER_URL": initiatorURL, "TRANSACTION_CHECK_AFTER": "10ms",
                "SETTLE_TOKEN": TestService.token,
            ]) { $1 })
        let boot = Bootstrap(
            name: "wallets", settings: try Settings(reader, defaultPort: 0, peers: [Self.order]), reader: reader,
            logger: quiet, metrics: PrometheusMetrics())
        let settle = try Settle(
            boot, routes: [], deadLetters: DeadLetterRoute(exchange: "wallets.dead", queue: "wallets.dead"))
        settle.libraryMigrations(MigrationSet("settle-next", next))
        settle.migrations("wallets", migrations)
        try settle.participate(boot, handlers, initiators: [Self.order])
        let server = settle.server(boot) { _, _ in }
        return try await serving(settle.services) { try await body(settle, server) }
    }

    /// What `sql` finds, one text a row.
    func texts(_ sql: String) async throws -> [String] {
        let database = try Self.connect(databaseURL)
        return try await serving([database]) {
            try await database.query(sql).map { try $0.decode(String.self, at: 0) }
        }
    }

    /// They would keep the database from being dropped, and only from inside can they be ended.
    private func dropPrepared() async throws {
        for gid in try await texts("SELECT gid FROM pg_prepared_xacts WHERE database = current_database()") {
            _ = try await texts("ROLLBACK PREPARED '\(gid)'")
        }
    }
}

/// Takes ten from a wallet.
struct Take: LocalAction {
    struct Request: Codable, Sendable { let wallet: String }
    struct Answer: Codable, Sendable {}

    func perform(_ request: Request, in transaction: borrowing PostgresTransaction) throws -> Answer {
        transaction.add("UPDATE wallet SET balance = balance - 10 WHERE name = $1", [.text(request.wallet)])
        return Answer()
    }

    static let schema = Migration(
        name: "wallet_0001",
        sql: """
            CREATE TABLE wallet (name text PRIMARY KEY, balance bigint NOT NULL);
            INSERT INTO wallet VALUES ('ann', 100), ('bob', 100);
            SELECT settle.enroll('wallet');
            """)
}
