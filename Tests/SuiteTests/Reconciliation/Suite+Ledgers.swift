import SettleTestSupport
import Testing

/// What `GET /ledger/balances` answers.
struct Balances: Decodable {
    struct Difference: Decodable, CustomStringConvertible {
        let account: String
        let column: String
        let balance: Int
        let ledger: Int
        var description: String { "\(account): \(column) is \(balance), its ledger says \(ledger)" }
    }

    let accounts: Int
    let differences: [Difference]
}

extension Suite {
    /// All balances of `role` that are not the sum of their ledger. Asked with the token that it was started with: a test may
    /// have changed it.
    func balances(_ role: Role) async throws -> Balances {
        let token = try process(role).environment["SETTLE_TOKEN"] ?? token
        let answer = try await send("GET", role, "/ledger/balances", headers: ["Authorization": "Bearer \(token)"])
        try #require(answer.status == 200, "\(answer.text)")
        return try answer.decode()
    }

    /// The same of all that run, in words, but for `openings`: what a test has put into a table past the services stands in
    /// no ledger.
    func wrongBalances(openings: [String: Int]) async throws -> [String] {
        var wrong: [String] = []
        for role in [Role.stock, .userPoints] where running.contains(where: { $0.name.hasPrefix(role.rawValue) }) {
            wrong += try await balances(role).differences.filter { difference in
                openings[difference.account] != difference.balance - difference.ledger
            }.map(\.description)
        }
        return wrong
    }
}
