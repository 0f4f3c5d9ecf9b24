import Foundation
package import SettlePostgres

/// A statement of the program, with parameters for any number of items.
package struct StatementCase: Sendable {
    package let name: String
    /// The text for up to so many items; mostly the same.
    package let sql: @Sendable (Int) -> String
    /// For so many items, none of them twice.
    package let parameters: @Sendable (Int) -> [PostgresValue]

    package init(_ name: String, _ sql: String, _ parameters: @escaping @Sendable (Int) -> [PostgresValue]) {
        self.init(name, sql: { _ in sql }, parameters)
    }

    package init(
        _ name: String, sql: @escaping @Sendable (Int) -> String,
        _ parameters: @escaping @Sendable (Int) -> [PostgresValue]
    ) {
        self.name = name
        self.sql = sql
        self.parameters = parameters
    }

    /// The most items that a batch has.
    package static let mostItems = 500

    /// What is wrong with the plans of `statements`, whether the tables seem to have one row, a thousand or a million.
    package static func faults(of statements: [StatementCase], in database: PostgresDatabase) async throws -> [String] {
        var faults: [String] = []
        for rows in [1, 1_000, 1_000_000] {
            try await database.pretend(rows: rows)
            for statement in statements {
                faults += try await PlanFaults.of(statement.sql(mostItems), in: database).map {
                    "\(statement.name), at \(rows) rows: \($0)"
                }
            }
        }
        return faults
    }

    /// Measures each of `statements`, and prints what it finds; up to twice more what seems to grow, since what really does
    /// grows each time.
    package static func curves(of statements: [StatementCase], in database: PostgresDatabase) async throws
        -> [StatementCurve]
    {
        print("microseconds for each item: \(StatementCurve.sizes)")
        var curves: [StatementCurve] = []
        for statement in statements {
            var curve = try await StatementCurve.measure(statement, in: database)
            for _ in 0..<2 where curve.growth > 1.3 {
                let again = try await StatementCurve.measure(statement, in: database)
                if again.growth < curve.growth { curve = again }
            }
            print(curve)
            curves.append(curve)
        }
        return curves
    }

    /// How many rows the tables of a measurement have.
    package static let rows = ProcessInfo.processInfo.environment["SETTLE_TEST_ROWS"].flatMap(Int.init) ?? 1_000
}
