package import Hummingbird
import Settle
package import SettleServiceKit

/// Routes, and what the service's document says of them.
package protocol DescribedRoutes {
    /// One for each route that ``add(to:)`` adds.
    static var operations: [APIOperation] { get }
    /// Adds the routes.
    func add(to guarded: RouterGroup<some RequestContext>)
}

extension APISchema {
    /// A global transaction's name.
    package static let xid = text(1...64, pattern: "^[A-Za-z0-9_-]+$")
    /// Which branch of it.
    package static let branch = text(1...BranchID.maxLength, pattern: "^[1-9][0-9]*([.][1-9][0-9]*){0,7}$")
    /// A number that the database gives.
    package static let id = integer(0...Int64.max)

    /// Whose decision an operator's is, and why, with the members that say on what.
    static func byOperator(
        _ members: KeyValuePairs<String, APISchema>, optional: KeyValuePairs<String, APISchema> = [:]
    ) -> APISchema {
        .request(members, optional: optional).adding(["operator": .text(1...128), "reason": .text(1...1000)])
    }
}

extension APIParameter {
    /// How many a list gives at most.
    package static func limit(_ range: ClosedRange<Int64>, default count: Int64) -> APIParameter {
        .query("limit", .integer(range).default(count), "The most that are listed.")
    }
}
