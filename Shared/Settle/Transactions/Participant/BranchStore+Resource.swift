import Foundation
import SettleCore
import SettlePostgres

/// A branch, named.
struct BranchKey: Hashable, Sendable {
    let xid: XID
    let branch: BranchID

    /// As the statements have it.
    var text: String { "\(xid) \(branch)" }
}

// Mode `mt`: the branch comes before its part. It has no answer as long as that is not done.
extension BranchStore {
    /// Notes the answers of parts that are done; returns those whose branch is still there and waits.
    static func prepared(
        _ parts: [(key: BranchKey, answer: String)], in transaction: borrowing PostgresTransaction
    ) throws -> Set<ByteKey> {
        let rows = try transaction.query(
            answering,
            [
                .texts(parts.map(\.key.xid.rawValue)), .texts(parts.map(\.key.text)), .texts(parts.map(\.answer)),
            ])
        return Set(try rows.map { ByteKey(try $0.decode(String.self, at: 0)) })
    }

    /// Forgets branches whose part was refused: nothing was done.
    static func forget(_ keys: [BranchKey], in transaction: borrowing PostgresTransaction) {
        transaction.add(forgetting, [.texts(keys.map(\.xid.rawValue)), .texts(keys.map(\.text))])
    }

    /// A branch in mode `mt` that waits for its end.
    struct Resource: Sendable {
        let branch: Branch
        /// Whether its resource may be tried now.
        let isDue: Bool

        var key: BranchKey { branch.key }
        var action: String { branch.action }
    }

    static func resources(_ xids: [XID], in database: PostgresDatabase) async throws -> [Resource] {
        try await database.query(waitingResources, [.texts(xids.map(\.rawValue))]).map { row in
            Resource(branch: try Branch(row: row), isDue: try row.decode(Bool.self, at: 8))
        }
    }

    /// Notes that the resource of these branches could not be told their end. They are tried again later, each time.
    static func resourceFailed(
        _ keys: [BranchKey], why: String, _ backoff: Backoff, in database: PostgresDatabase
    ) async throws {
        _ = try await database.query(
            resourceFailing,
            [
                .texts(keys.map(\.xid.rawValue)), .texts(keys.map(\.text)), .text(why),
                .int(backoff.initial.milliseconds), .int(backoff.cap.milliseconds),
            ])
    }

    private static let isNamed = "xid = ANY ($1::text[]) AND xid || ' ' || branch_id = ANY ($2::text[])"

    /// An answer gets to its row by a map: see `TaskStatements`.
    static let answering = """
        UPDATE settle.branch
        SET answer = (SELECT jsonb_object($2::text[], $3::text[])) ->> (xid || ' ' || branch_id)
        WHERE \(isNamed) AND mode = 'mt' AND ended_at IS NULL AND answer IS NULL
        RETURNING xid || ' ' || branch_id
        """

    static let forgetting = """
        DELETE FROM settle.branch WHERE \(isNamed) AND mode = 'mt' AND ended_at IS NULL AND answer IS NULL
        """

    static let waitingResources = """
        SELECT \(Branch.columns), retry_time IS NULL OR retry_time <= clock_timestamp() FROM settle.branch
        WHERE xid = ANY ($1::text[]) AND mode = 'mt' AND ended_at IS NULL ORDER BY xid, branch_id
        """

    static let resourceFailing = """
        UPDATE settle.branch SET
            tries = tries + 1, errormsg = $3,
            retry_time = clock_timestamp()
                + least($5, $4 * 2 ^ least(tries, 20)) * (0.75 + random() * 0.5) * interval '1 millisecond'
        WHERE \(isNamed) AND ended_at IS NULL
        """
}
