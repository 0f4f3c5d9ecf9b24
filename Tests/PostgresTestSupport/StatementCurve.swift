import Foundation
package import SettlePostgres

/// How long a statement takes for each item, by the number of them.
package struct StatementCurve: Sendable, CustomStringConvertible {
    package static let sizes = [1, 50, 500]

    package let name: String
    /// Microseconds for each item, by `sizes`: the least of some rounds, so that what else the machine does matters little.
    package let microseconds: [Double]

    /// What an item costs at the largest size, compared to the one before. Less than a tenth of a microsecond is not
    /// measured: a statement that finds nothing to do.
    package var growth: Double { microseconds[2] / max(microseconds[1], 0.1) }

    package var description: String {
        let costs = microseconds.map { String(format: "%8.1f", $0) }.joined()
        return name.padding(toLength: 28, withPad: " ", startingAt: 0) + costs + String(format: "   x %.2f", growth)
    }

    /// Runs `statement` in transactions that are rolled back.
    package static func measure(
        _ statement: StatementCase, in database: PostgresDatabase, rounds: Int = 6
    ) async throws -> StatementCurve {
        let idle = try await least(3 * rounds, "SELECT 1", [], in: database)
        var costs: [Double] = []
        for size in sizes {
            // What was rolled back is in the way of what comes after it.
            try await database.sweep()
            let taken = try await least(
                size == 1 ? 3 * rounds : rounds, statement.sql(size), statement.parameters(size), in: database)
            costs.append(Double(max(taken - idle, 1)) / 1_000 / Double(size))
        }
        return StatementCurve(name: statement.name, microseconds: costs)
    }

    private struct RolledBack: Error {
        let nanoseconds: Int
    }

    private static func least(
        _ rounds: Int, _ sql: String, _ parameters: [PostgresValue], in database: PostgresDatabase
    ) async throws -> Int {
        var least = Int.max
        // The first round prepares and plans it.
        for round in 0...rounds {
            let taken = try await once(sql, parameters, in: database)
            if round > 0 { least = min(least, taken) }
        }
        return least
    }

    /// Processor time that the server's process had, as the kernel counts it whenever it waits for us: however busy the machine
    /// is, that stays the same.
    private static func once(
        _ sql: String, _ parameters: [PostgresValue], in database: PostgresDatabase
    ) async throws -> Int {
        do {
            return try await database.transaction { transaction in
                _ = try transaction.processorTime()
                let before = try transaction.processorTime()
                _ = try transaction.query(sql, parameters)
                throw RolledBack(nanoseconds: try transaction.processorTime() - before)
            }
        } catch let end as RolledBack {
            return end.nanoseconds
        }
    }
}

extension PostgresTransaction {
    /// Of the server's process, in nanoseconds, until it last waited for us.
    fileprivate func processorTime() throws -> Int {
        try query("SELECT split_part(pg_read_file('/proc/self/schedstat'), ' ', 1)")[0].decode(Int.self, at: 0)
    }
}
