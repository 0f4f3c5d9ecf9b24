import SettleCore
import Foundation
import SettlePostgres
import ShopContract

/// The tokens of customers: random, told once, kept as hashes.
struct CustomerTokens: Sendable {
    let database: PostgresDatabase

    /// 32 bytes at random in base64url: 43 characters.
    static func random() -> String {
        var generator = SystemRandomNumberGenerator()
        let bytes = (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        return Data(bytes).base64EncodedString().replacingOccurrences(of: "+", with: "-")
            .replacingOccurrences(of: "/", with: "_").replacingOccurrences(of: "=", with: "")
    }

    /// What is kept of a token. A plain hash is enough: nobody can guess 32 random bytes, however quick each try is. It
    /// is made here, not in SQL, so that no token is in a statement that the database may log.
    static func hash(_ token: String) -> [UInt8] { SHA256.digest(of: Array(token.utf8)) }

    func isTheirs(_ userName: String, _ token: String) async throws -> Bool {
        try await areTheirs([CustomerToken(userName: userName, token: token)]) == [true]
    }

    /// For each, whether the token is the one of that user.
    func areTheirs(_ asked: [CustomerToken]) async throws -> [Bool] {
        let rows = try await database.query(
            "SELECT user_name, token_hash FROM customer WHERE user_name = ANY($1::text[])",
            [.texts(asked.map(\.userName))])
        let hashes = Dictionary(
            try rows.map { (ByteKey(try $0.decode(String.self, at: 0)), try $0.decode([UInt8].self, at: 1)) }
        ) { first, _ in first }
        return asked.map { customer in
            let hash = Self.hash(customer.token)
            return hashes[ByteKey(customer.userName)].map { hash.isEqualInConstantTime(to: $0) } ?? false
        }
    }
}
