public import Hummingbird
public import Settle
import SettleServiceKit

/// What an operator asks of a participant about single transactions, and the rows that hold up a rollback; internal.
public struct BranchRecordRoutes: Sendable {
    struct Branches: Encodable {
        let branches: [BranchRecord]
    }

    struct Rows: Encodable {
        let rows: [DirtyRow]
    }

    struct Resolved: Encodable {
        let outcome: String
    }

    private let checkBack: CheckBack

    /// The routes of the participant whose branches `checkBack` looks after.
    public init(_ checkBack: CheckBack) { self.checkBack = checkBack }

    /// Adds `GET /transactions/{xid}`, `GET /dirty-rows` and `POST /dirty-rows/resolve`.
    public func add(to guarded: RouterGroup<some RequestContext>) {
        guarded.get("transactions/:xid") { _, context in
            guard let xid = XID(rawValue: try context.pathParameter("xid")) else { throw Self.notFound }
            let branches = try await checkBack.branches(of: [xid])
            guard !branches.isEmpty else { throw Self.notFound }
            return try Response.json(Branches(branches: branches))
        }
        guarded.get("dirty-rows") { request, _ in
            let limit = try request.queryInteger("limit", in: 1...200, default: 50)
            return try Response.json(Rows(rows: try await checkBack.dirtyRows(limit: limit)))
        }
        guarded.post("dirty-rows/resolve") { request, context in
            let wanted = try await requireJSON(Resolution.self, from: request, context: context)
            return try Response.json(
                Resolved(
                    outcome: try await checkBack.resolve(
                        try wanted.checked(), by: wanted.operator, because: wanted.reason)))
        }
    }

    private static let notFound = Problem.notFound("this service has no branch of that global transaction")
}

/// `{"xid", "table", "key", "choice", "operator", "reason"}`
struct Resolution: Decodable {
    let xid: String
    let table: String
    let key: String
    let choice: String
    let `operator`: String
    let reason: String

    /// Throws the problem that says what is wrong with it.
    func checked() throws -> DirtyRowChoice {
        guard let xid = XID(rawValue: xid) else { throw Problem.unprocessable("xid is not an XID") }
        try Check.length("table", table, 1...255)
        try Check.length("key", key, 1...8_192)
        try Check.choice("choice", choice, of: DirtyRowChoice.Kind.allCases.map(\.rawValue))
        try Check.length("operator", `operator`, 1...128)
        try Check.length("reason", reason, 1...1000)
        return DirtyRowChoice(
            xid: xid, table: table, key: key, kind: DirtyRowChoice.Kind(rawValue: choice) ?? .keep)
    }
}

extension DirtyRowRefusal {
    var problem: Problem {
        switch self {
        case .unknown: .notFound("no rollback of that transaction is blocked here, or it has no such row")
        case .unreadableKey: .unprocessable("key must be the JSON text that GET /dirty-rows gives")
        case .rowIsGone:
            .conflict("row-is-gone", "there are no other columns to leave alone: choose restore or keep")
        }
    }
}
