import Foundation
package import SettlePostgres

/// What keeps a plan from costing the same for each item, however many there are in the batch and rows in the tables.
package enum PlanFaults {
    /// Explains the generic plan of `sql` as `database` makes it, and looks through it.
    package static func of(_ sql: String, in database: PostgresDatabase) async throws -> [String] {
        let name = "plan_\(UUID().uuidString.lowercased().replacing("-", with: "_"))"
        let count = (1...99).last { sql.contains("$\($0)") } ?? 0
        // The values do not matter: a generic plan is made without them.
        let arguments = count == 0 ? "" : "(\(Array(repeating: "NULL", count: count).joined(separator: ", ")))"
        let plan = try await database.transaction { transaction in
            transaction.add("SET LOCAL plan_cache_mode = force_generic_plan")
            transaction.add("PREPARE \(name) AS \(sql)")
            let rows = try transaction.query("EXPLAIN (VERBOSE, FORMAT JSON) EXECUTE \(name)\(arguments)")
            transaction.add("DEALLOCATE \(name)")
            return try rows[0].decode(String.self, at: 0)
        }
        return try faults(plan: plan)
    }

    /// - Parameter plan: as EXPLAIN (FORMAT JSON) writes it.
    package static func faults(plan: String) throws -> [String] {
        let explained = try JSONDecoder().decode([Explained].self, from: Data(plan.utf8))
        return explained.flatMap { faults($0.plan, in: plan) }
    }

    private static func faults(_ node: Node, in plan: String) -> [String] {
        var faults = node.children.flatMap { Self.faults($0, in: plan) }
        switch node.type {
        case "Seq Scan": faults.append("reads all of \(node.relation ?? "a table")")
        case "Index Scan", "Index Only Scan", "Bitmap Index Scan":
            if node.condition == nil { faults.append("reads all of the index \(node.index ?? "")") }
        case "Nested Loop":
            if let inner = node.children.first(where: { $0.relationship == "Inner" }), !inner.isByKey {
                faults.append("goes through \(inner.shown) again for each row")
            }
        default: break
        }
        if node.relationship == "SubPlan", let name = node.subplan, !node.isByKey, !plan.contains("hashed \(name)") {
            faults.append("goes through \(node.shown) again for each row, in \(name)")
        }
        return faults
    }

    private struct Explained: Decodable {
        let plan: Node
        enum CodingKeys: String, CodingKey { case plan = "Plan" }
    }

    private struct Node: Decodable {
        let type: String
        let relationship: String?
        let relation: String?
        let index: String?
        let condition: String?
        let function: String?
        let alias: String?
        let subplan: String?
        let plans: [Node]?

        enum CodingKeys: String, CodingKey {
            case type = "Node Type"
            case relationship = "Parent Relationship"
            case relation = "Relation Name"
            case index = "Index Name"
            case condition = "Index Cond"
            case function = "Function Name"
            case alias = "Alias"
            case subplan = "Subplan Name"
            case plans = "Plans"
        }

        var children: [Node] { plans ?? [] }
        var shown: String { "\(type) \(relation ?? alias ?? "")" }

        /// Whether one look takes the same time, whatever there is: a row by its key, or the rows that a function makes of
        /// one value. Not what it makes of a parameter: that is the batch; but for the settings of some types of task.
        var isByKey: Bool {
            if condition != nil { return true }
            switch type {
            case "Function Scan": return alias?.hasPrefix("own") == true || (function != nil && function != "unnest")
            case "Result", "Memoize": return children.allSatisfy(\.isByKey)
            case "CTE Scan", "Materialize", "Seq Scan", "Index Scan", "Index Only Scan", "Hash Join",
                "Merge Join", "Values Scan":
                return false
            // InitPlans are made once.
            default: return children.filter { $0.relationship != "InitPlan" }.contains(where: \.isByKey)
            }
        }
    }
}
