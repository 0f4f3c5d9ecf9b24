import Testing

@testable import Settle

@Suite("Diagnosis")
struct DiagnosisTests {
    private static func verdict(_ name: String, _ value: String, usesXA: Bool = true) throws -> Diagnosis {
        let rule = try #require(DiagnosisRule.postgres(usesXA: usesXA).first { $0.name == name })
        return rule.diagnosis(of: value)
    }

    @Test(
        "each setting is judged, and what is not well says what to do",
        arguments: [
            ("postgres.fsync", "on", Diagnosis.Verdict.ok), ("postgres.fsync", "off", .wrong),
            ("postgres.synchronous_commit", "remote_apply", .ok), ("postgres.synchronous_commit", "off", .wrong),
            ("postgres.full_page_writes", "off", .warning), ("postgres.version", "130004", .warning),
            ("postgres.version", "170002", .ok), ("postgres.max_prepared_transactions", "0", .wrong),
            ("postgres.max_prepared_transactions", "64", .ok), ("postgres.encoding", "SQL_ASCII", .wrong),
            ("postgres.superuser", "true", .warning), ("postgres.connections_used", "0.95", .warning),
            ("postgres.transaction_age", "1500000000", .warning),
            ("postgres.oldest_prepared_seconds", "4000", .warning),
            ("postgres.oldest_transaction_seconds", "3", .ok), ("postgres.version", "devel", .unknown),
        ])
    func rules(name: String, value: String, verdict: Diagnosis.Verdict) throws {
        let diagnosis = try Self.verdict(name, value)
        #expect(diagnosis.verdict == verdict)
        #expect((diagnosis.advice == nil) == (verdict == .ok))
    }

    @Test("who does not use mode xa needs no prepared transactions, and what could not be asked is not known")
    func others() throws {
        #expect(try Self.verdict("postgres.max_prepared_transactions", "0", usesXA: false).verdict == .ok)
        #expect(DiagnosisRule.clock.diagnosis(of: nil).verdict == .unknown)
        #expect(DiagnosisRule.clock.diagnosis(of: "-1.5").verdict == .warning)
        #expect(DiagnosisRule.clock.diagnosis(of: "-0.004").verdict == .ok)
    }
}
