/// One thing that was looked at in a server that an application needs, for an operator.
public struct Diagnosis: Encodable, Sendable, Equatable {
    /// What it amounts to.
    public enum Verdict: String, Encodable, Sendable {
        /// As it should be.
        case ok
        /// It works, until something else happens.
        case warning
        /// What this package promises does not hold so.
        case wrong
        /// It could not be asked.
        case unknown
    }

    /// The server and the setting, such as `postgres.fsync`.
    public let name: String
    /// What it is; empty where it could not be asked.
    public let value: String
    /// What it amounts to.
    public let verdict: Verdict
    /// What to do; nil where nothing is to be done.
    public let advice: String?

    /// What is well whatever it is.
    static func fact(_ name: String, _ value: String) -> Diagnosis {
        Diagnosis(name: name, value: value, verdict: .ok, advice: nil)
    }
}

/// How a setting should be. Pure.
struct DiagnosisRule: Sendable {
    let name: String
    /// What a value amounts to.
    let judge: @Sendable (String) -> Diagnosis.Verdict
    let advice: String

    init(_ name: String, _ advice: String, _ judge: @escaping @Sendable (String) -> Diagnosis.Verdict) {
        self.name = name
        self.judge = judge
        self.advice = advice
    }

    /// - Parameter value: nil where it could not be asked.
    func diagnosis(of value: String?) -> Diagnosis {
        guard let value else { return Diagnosis(name: name, value: "", verdict: .unknown, advice: nil) }
        let verdict = judge(value)
        return Diagnosis(name: name, value: value, verdict: verdict, advice: verdict == .ok ? nil : advice)
    }

    /// A number within bounds is well; what is no number is not known.
    static func number(
        _ name: String, _ advice: String, _ bad: Diagnosis.Verdict = .warning,
        isWell: @escaping @Sendable (Double) -> Bool
    ) -> DiagnosisRule {
        DiagnosisRule(name, advice) { value in Double(value).map { isWell($0) ? .ok : bad } ?? .unknown }
    }
}

extension DiagnosisRule {
    /// What PostgreSQL is asked for, in the order of the columns of `Settle.postgresFacts`.
    static func postgres(usesXA: Bool) -> [DiagnosisRule] {
        [
            .number("postgres.version", "use a version that still gets corrections", .warning) { $0 >= 140_000 },
            DiagnosisRule("postgres.fsync", "set fsync = on: a power cut loses what was answered, or all") {
                $0 == "on" ? .ok : .wrong
            },
            DiagnosisRule(
                "postgres.full_page_writes", "set full_page_writes = on, unless the file system writes whole pages"
            ) { $0 == "on" ? .ok : .warning },
            DiagnosisRule(
                "postgres.synchronous_commit", "set it to on (or local): a commit that was answered may be lost"
            ) { $0 == "off" ? .wrong : .ok },
            .number(
                "postgres.max_prepared_transactions",
                "set it to as many as transactions of mode xa may wait at once, and restart PostgreSQL", .wrong
            ) { !usesXA || $0 > 0 },
            DiagnosisRule("postgres.encoding", "make the database with ENCODING 'UTF8'") {
                $0 == "UTF8" ? .ok : .wrong
            },
            DiagnosisRule("postgres.superuser", "give the service a role of its own: a superuser passes every guard") {
                $0 == "false" ? .ok : .warning
            },
            .number("postgres.connections_used", "raise max_connections, or lower DATABASE_CONNECTIONS") { $0 < 0.9 },
            .number(
                "postgres.transaction_age",
                "find out why vacuum does not freeze: a prepared or open transaction, or a replication slot"
            ) { $0 < 1_000_000_000 },
            .number(
                "postgres.oldest_prepared_seconds",
                "decide the branch (GET /transactions): it keeps vacuum from cleaning up, and its rows locked"
            ) { $0 < 3_600 },
            .number(
                "postgres.oldest_transaction_seconds", "end the session that keeps a transaction open: pg_stat_activity"
            ) { $0 < 600 },
        ]
    }

    /// How far the database's clock is from the service's; ids and deadlines are made with both.
    static let clock = DiagnosisRule.number("postgres.clock_seconds", "let NTP set the clocks of both machines") {
        abs($0) < 1
    }

    static let brokerUp = DiagnosisRule("rabbitmq.connected", "see the service's log for why") {
        $0 == "true" ? .ok : .wrong
    }

    static let brokerBlocked = DiagnosisRule(
        "rabbitmq.blocked", "give the broker disk or memory; it takes no messages, which wait in their tables"
    ) { $0 == "true" ? .warning : .ok }

    static let redisUp = DiagnosisRule(
        "redis.connected", "see the service's log for why; copies cost a query until then"
    ) { $0 == "true" ? .ok : .warning }
}
