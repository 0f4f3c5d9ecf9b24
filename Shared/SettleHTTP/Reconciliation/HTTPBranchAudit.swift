import Foundation
import HTTPTypes
public import Settle
public import SettleServiceKit

/// The undecided branches of participants, by HTTP.
public struct HTTPBranchAudit: BranchAudit {
    private struct Branches: Decodable {
        struct Branch: Decodable {
            let xid: String
            let mode: String
            let initiator: String
            let createdAt: Date
            let errormsg: String?
        }

        let branches: [Branch]
    }

    private let clients: [(name: String, client: ServiceClient)]
    private let initiator: [String]

    /// - Parameters:
    ///   - clients: call the participants, by their names.
    ///   - initiator: what branches call the one who asks: its name, and its base URL.
    public init(_ clients: [(name: String, client: ServiceClient)], initiator: [String]) {
        self.clients = clients
        self.initiator = initiator
    }

    /// Those that there are clients for.
    public var participants: [String] { clients.map(\.name) }

    /// `GET /transactions`
    public func undecidedBranches(at participant: String) async throws -> [AuditedBranch] {
        guard let client = clients.first(where: { $0.name == participant })?.client else { return [] }
        let answer: Branches = try client.decode(try await client.send(.get, "/transactions?limit=1000"))
        return answer.branches.compactMap { branch in
            guard initiator.contains(branch.initiator), let xid = XID(rawValue: branch.xid) else { return nil }
            return AuditedBranch(
                xid: xid, mode: branch.mode, createdAt: branch.createdAt, errormsg: branch.errormsg)
        }
    }
}
