import Foundation

/// Where a service's ledger is: how its tables read as lines of key, account, kind and amount.
///
///     LedgerSource { scope in
///         "SELECT l.order_id, u.user_name, 'earned', l.point FROM point_log l JOIN … WHERE \(scope("l.order_id"))"
///     }
///
/// The library makes of it the statements that compare: checksums of many ranges of keys at once, entries of a range by
/// pages, entries of given keys. Each reads by the index on the key, so there must be one that begins with it.
public struct LedgerSource: Sendable {
    /// Of what type the columns of keys are.
    public enum Keys: Sendable {
        /// `text`.
        case text
        /// `uuid`: all keys are UUIDs, in small letters where they stand as text.
        case uuid

        var type: String {
            switch self {
            case .text: "text"
            case .uuid: "uuid"
            }
        }
    }

    let keys: Keys
    let hasAdjustments: Bool
    /// `$1` where each range begins, `$2` where it ends; a row for each, in their order.
    let digests: String
    /// `$1` where it begins, `$2` where it ends, `$3` after which key, `$4` how many keys.
    let page: String
    /// The same of a range that is open above, without `$2`.
    let rest: String
    /// `$1` the keys.
    let ofKeys: String

    /// - Parameters:
    ///   - keys: of what type the columns of keys are.
    ///   - hasAdjustments: whether `settle.ledger_adjustment` belongs to it, as it does wherever people may put a ledger
    ///     right; false for what is only read.
    ///   - lines: SQL that gives rows `(key text, account text, kind text, amount bigint)`, as many for a key as there are.
    ///     It must hold `scope(column)` as a condition for each of its parts: that is what limits it to some keys.
    public init(keys: Keys = .text, hasAdjustments: Bool = true, lines: (_ scope: (String) -> String) -> String) {
        self.keys = keys
        self.hasAdjustments = hasAdjustments
        func all(_ scope: @escaping (String) -> String) -> String {
            var sources = ["(\(lines(scope)))"]
            if hasAdjustments {
                let adjustments = "SELECT key, account, kind, amount FROM settle.ledger_adjustment a"
                sources.append("(\(adjustments) WHERE \(scope("a.key")))")
            }
            return "(\(sources.joined(separator: " UNION ALL "))) line (key, account, kind, amount)"
        }
        func net(_ scope: @escaping (String) -> String) -> String {
            """
            SELECT key, account, kind, sum(amount) AS amount FROM \(all(scope))
            GROUP BY key, account, kind HAVING sum(amount) <> 0
            """
        }
        let type = keys.type
        digests = """
            SELECT digest.lines, digest.sum
            FROM unnest($1::\(type)[], $2::\(type)[]) WITH ORDINALITY AS range (low, high, n)
            CROSS JOIN LATERAL (
                SELECT count(*) AS lines, coalesce(sum(amount * \(Self.hash)), 0)::text AS sum
                FROM \(all { "\($0) >= range.low AND \($0) < range.high" })
            ) digest
            ORDER BY n
            """
        page = Self.page(
            of: net { "\($0) >= $1::\(type) AND \($0) < $2::\(type)" }, after: "$3", limit: "$4")
        rest = Self.page(of: net { "\($0) >= $1::\(type)" }, after: "$2", limit: "$3")
        ofKeys = "SELECT key, account, kind, \(Self.amount) FROM (\(net { "\($0) = ANY ($1::\(type)[])" })) net"
    }

    /// Sixty-four bits of what a line is about. Times its amount they can be added up in any order and in any number of parts,
    /// and what was taken and given back is nothing: so nothing need be sorted or grouped.
    ///
    /// The same in every PostgreSQL from version 11 on, whatever its locale, on machines of one byte order; hash partitioning
    /// stands on it. Should two sides differ in it all the same, all their ranges do, and are compared line by line. (MD5,
    /// the same everywhere, takes longer than all the rest together.)
    private static let hash = """
        hashtextextended((key || E'\\x1f' || account || E'\\x1f' || kind) COLLATE "C", 0)::numeric
        """
    /// What a wrong row adds up to may not fit.
    private static let amount = "least(greatest(amount, -9223372036854775808), 9223372036854775807)::bigint"

    /// All lines of the first keys.
    private static func page(of net: String, after: String, limit: String) -> String {
        """
        SELECT key, account, kind, \(amount)
        FROM (SELECT net.*, dense_rank() OVER (ORDER BY key) AS rank FROM (\(net)) net
              WHERE key IS DISTINCT FROM \(after)::text) ranked
        WHERE rank <= \(limit)::bigint ORDER BY key
        """
    }
}
