import Foundation
package import Logging
package import SettlePostgres
package import SettleRabbitMQ
package import SettleRedis

/// Looks at every server that an application needs: is it set as it should be. Nothing of it is on any path of the
/// application's own work.
public struct Doctor: Sendable {
    let database: PostgresDatabase
    let usesXA: Bool
    let publisher: RabbitMQPublisher?
    let redis: RedisClient?
    let logger: Logger

    /// - Parameters:
    ///   - database: the application's own.
    ///   - usesXA: whether it does parts of global transactions in mode `xa`.
    ///   - publisher: its connection to the broker, if it has one.
    ///   - redis: its connection to Redis, if it has one.
    ///   - logger: gets a line where a server cannot be asked.
    package init(
        database: PostgresDatabase, usesXA: Bool = false, publisher: RabbitMQPublisher?, redis: RedisClient? = nil,
        logger: Logger
    ) {
        self.database = database
        self.usesXA = usesXA
        self.publisher = publisher
        self.redis = redis
        self.logger = logger
    }

    /// One line for each setting and state; a server that is away has lines of `unknown`.
    public func diagnose() async -> [Diagnosis] {
        async let postgres = diagnosePostgres()
        async let redis = diagnoseRedis()
        return await postgres + diagnoseBroker() + redis
    }

    private func diagnosePostgres() async -> [Diagnosis] {
        let rules = DiagnosisRule.postgres(usesXA: usesXA)
        let began = Date()
        var facts: [String?] = Array(repeating: nil, count: rules.count)
        var clock: String?
        do {
            let row = try await database.query(Self.postgresFacts)[0]
            for index in rules.indices { facts[index] = try row.decode(String?.self, at: index) }
            // Its clock was read between the two of ours.
            let middle = Date(timeInterval: Date().timeIntervalSince(began) / 2, since: began)
            clock = String(format: "%.3f", try row.decode(Date.self, at: rules.count).timeIntervalSince(middle))
        } catch {
            logger.warning("PostgreSQL could not be looked at", metadata: ["error": "\(error)"])
        }
        return zip(rules, facts).map { $0.diagnosis(of: $1) } + [DiagnosisRule.clock.diagnosis(of: clock)]
    }

    private func diagnoseBroker() -> [Diagnosis] {
        guard let publisher else { return [] }
        return [
            DiagnosisRule.brokerUp.diagnosis(of: "\(publisher.isUp)"),
            DiagnosisRule.brokerBlocked.diagnosis(of: "\(publisher.isBlocked)"),
        ]
    }

    private func diagnoseRedis() async -> [Diagnosis] {
        guard let redis else { return [] }
        let up = DiagnosisRule.redisUp.diagnosis(of: "\(redis.isUp)")
        let unknown = Diagnosis(name: "redis.version", value: "", verdict: .unknown, advice: nil)
        // Its role need not be allowed to ask; then it is not known.
        guard let reply = try? await redis.send([RedisCommand(["INFO", "server"])]).first?.text,
            let line = reply.split(whereSeparator: \.isNewline).first(where: { $0.hasPrefix("redis_version:") })
        else { return [up, unknown] }
        return [up, .fact("redis.version", String(line.dropFirst("redis_version:".count)))]
    }

    /// One row; a setting that this version does not have is null.
    private static let postgresFacts = """
        SELECT current_setting('server_version_num', true), current_setting('fsync', true),
               current_setting('full_page_writes', true), current_setting('synchronous_commit', true),
               current_setting('max_prepared_transactions', true), pg_encoding_to_char(d.encoding),
               (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)::text,
               round((SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')
                     / current_setting('max_connections')::numeric, 2)::text,
               age(d.datfrozenxid)::text,
               coalesce((SELECT round(extract(epoch FROM max(now() - prepared))) FROM pg_prepared_xacts), 0)::text,
               coalesce((SELECT round(extract(epoch FROM max(now() - xact_start))) FROM pg_stat_activity
                         WHERE backend_type = 'client backend'), 0)::text,
               clock_timestamp()
        FROM pg_database d WHERE d.datname = current_database()
        """
}

extension Settle {
    /// Looks at the servers that this application needs. Reading it ends the time for saying what the application does.
    public var doctor: Doctor {
        Doctor(
            database: database, usesXA: assembled.participation?.participant.offers(.xa) ?? false,
            publisher: assembled.messaging?.publisher, redis: assembled.redis, logger: logger)
    }
}
