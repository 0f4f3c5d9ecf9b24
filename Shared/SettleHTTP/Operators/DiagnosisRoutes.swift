public import Hummingbird
public import Settle
import SettleServiceKit

/// What an operator asks of any application: is all set as it should be, are the tables there; internal.
public struct DiagnosisRoutes: Sendable {
    struct Diagnoses: Encodable {
        let checks: [Diagnosis]
    }

    struct Migrations: Encodable {
        let migrations: [MigrationRecord]
    }

    struct Applied: Encodable {
        let applied: [String]
    }

    static let migratesElsewhere = Problem.conflict(
        "migrates-elsewhere", "another tool makes the tables of this service")

    private let doctor: Doctor
    private let book: MigrationBook

    /// - Parameters:
    ///   - doctor: looks at the servers.
    ///   - book: knows the tables.
    public init(_ doctor: Doctor, _ book: MigrationBook) {
        self.doctor = doctor
        self.book = book
    }

    /// Adds `GET /doctor`, `GET /migrations` and `POST /migrations/apply`.
    public func add(to guarded: RouterGroup<some RequestContext>) {
        guarded.get("doctor") { _, _ in try Response.json(Diagnoses(checks: await doctor.diagnose())) }
        guarded.get("migrations") { _, _ in
            try Response.json(Migrations(migrations: try await book.records()))
        }
        guarded.post("migrations/apply") { _, _ in
            guard book.migrates else { throw Self.migratesElsewhere }
            return try Response.json(Applied(applied: try await book.apply()))
        }
    }
}
