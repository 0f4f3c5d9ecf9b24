public import Foundation
package import SettlePostgres

/// A migration of an application, and whether its database has it.
public struct MigrationRecord: Encodable, Sendable, Equatable {
    /// The set that it belongs to.
    public let set: String
    /// What it is called there.
    public let name: String
    /// When it was applied; nil while it is missing.
    public let appliedAt: Date?
    /// Whether the database has it with another text: somebody has changed one that was out.
    public let differs: Bool
}

/// The migrations that an application needs, as an operator sees them.
public struct MigrationBook: Sendable {
    let sets: [MigrationSet]
    let database: PostgresDatabase
    /// Whether the application makes its tables itself.
    public let migrates: Bool

    /// - Parameters:
    ///   - sets: in the order in which they are applied.
    ///   - database: the one that shall have them.
    ///   - migrates: whether the application makes its tables itself.
    package init(_ sets: [MigrationSet], on database: PostgresDatabase, migrates: Bool = true) {
        self.sets = sets
        self.database = database
        self.migrates = migrates
    }

    /// All of them, in their order.
    public func records() async throws -> [MigrationRecord] {
        var records: [MigrationRecord] = []
        for set in sets {
            let applied = try await PostgresMigrator.applied(set, on: database)
            records += set.migrations.map { migration in
                let known = applied[migration.name]
                return MigrationRecord(
                    set: set.name, name: migration.name, appliedAt: known?.appliedAt,
                    differs: known.map { $0.checksum != migration.checksum } ?? false)
            }
        }
        return records
    }

    /// Applies what is missing, as a start does; answers the names of what this call has applied.
    ///
    /// - Throws: `PostgresMigrationError`, or what the database throws.
    public func apply() async throws -> [String] {
        var names: [String] = []
        for set in sets { names += try await PostgresMigrator.apply(set, on: database) }
        return names
    }
}

extension Settle {
    /// The migrations of this application.
    public var migrationBook: MigrationBook {
        MigrationBook(
            registry.librarySets(configuration.schema) + registry.ownSets, on: database,
            migrates: configuration.migrates)
    }
}
