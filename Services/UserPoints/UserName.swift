import SettleServiceKit

/// The name of a user, and what makes creating one and refusing an unknown one exclude each other.
enum UserName {
    /// Locks the names in `$1::text[]` until the transaction ends, in their order, so that two cannot deadlock.
    static let lock = """
        SELECT pg_advisory_xact_lock(hashtextextended(name, 0))
        FROM (SELECT DISTINCT name FROM unnest($1::text[]) AS name ORDER BY name) AS names
        """

    static func check(_ name: String) throws {
        try Check.length("userName", name, 1...64)
    }
}
