import SettleCore
import SettlePostgres

/// The statements over `settle.branch`.
struct BranchStore: Sendable {
    struct Branch: Sendable {
        let xid: XID
        let id: BranchID
        let mode: BranchMode?
        let action: String
        let request: String
        let state: BranchState
        let answer: String?
        let errormsg: String?
    }

    /// Remembers a part that was done, in the transaction that did it. Fails on the key when the branch is known here
    /// already, and at the gate (`ST011`) when the transaction has ended here: that is what makes a request that comes
    /// twice, or after its own rollback, do nothing. `ST012`: the transaction has too many branches here.
    static func insert(
        _ context: BranchContext, action: String, request: String, answer: String, state: BranchState,
        settings: TransactionSettings, in transaction: borrowing PostgresTransaction
    ) {
        // Mode at: in the same statement, whether the part has changed too many rows.
        let limit = context.mode == .at ? [PostgresValue.int(settings.maxRows)] : []
        transaction.add(
            context.mode == .at ? Self.limitedInsertion : Self.insertion,
            [
                .text(context.xid.rawValue), .text(state.rawValue), .text(context.mode.rawValue), .text(action),
                .text(context.initiator), .text(request), .text(answer), .int(settings.checkAfter.milliseconds),
                .int(context.timeLeft(standard: settings.deadline).milliseconds), .text(context.branch.rawValue),
            ] + limit)
    }

    /// The same for the parts of several transactions, all in one mode, done in one local transaction; not in `xa`. In `mt`
    /// before they are done, and so without their answers.
    static func insert(
        _ parts: [(request: BranchRequest, answer: String?)], action: String, mode: BranchMode,
        settings: TransactionSettings, in transaction: borrowing PostgresTransaction
    ) {
        let contexts = parts.map(\.request.context)
        if mode == .at {
            transaction.add(
                Self.groupLimit, [.texts(contexts.map(\.xid.rawValue)), .int(settings.maxRows)])
        }
        transaction.add(Self.passing, [.texts(contexts.map(\.xid.rawValue))])
        // In the order of their keys, so that two groups with the same transactions cannot deadlock.
        transaction.add(
            Self.groupInsertion,
            [
                .text(mode.rawValue), .text(action), .int(settings.checkAfter.milliseconds),
                .texts(contexts.map(\.xid.rawValue)), .texts(contexts.map(\.initiator)),
                .texts(parts.map(\.request.text)), .texts(parts.map(\.answer)),
                .int64s(contexts.map { Int64($0.timeLeft(standard: settings.deadline).milliseconds) }),
                .texts(contexts.map(\.branch.rawValue)),
            ])
    }

    static func find(_ xid: XID, _ id: BranchID, in database: PostgresDatabase) async throws -> Branch? {
        try await database.query(
            "SELECT \(Branch.columns) FROM settle.branch WHERE xid = $1 AND branch_id = $2",
            [.text(xid.rawValue), .text(id.rawValue)]
        ).first.map(Branch.init(row:))
    }

    /// Closes the gate of `xids`, and leaves, for each of them without a branch, the memory that it was rolled back.
    ///
    /// Where a branch is being inserted right now, this waits for it.
    static func refuseLateBranches(_ xids: [XID], in transaction: borrowing PostgresTransaction) {
        transaction.add(Self.closing, [.texts(xids.map(\.rawValue))])
        // A statement of its own, and so a later snapshot: it sees what the gate was waited for.
        transaction.add(Self.refusal, [.texts(xids.map(\.rawValue))])
    }

    /// The branches of `xids`, locked in their order, so that two batches cannot deadlock.
    static func lock(_ xids: [XID], in transaction: borrowing PostgresTransaction) throws -> [Branch] {
        try transaction.query(
            Self.locking,
            [.texts(xids.map(\.rawValue))]
        ).map(Branch.init(row:))
    }

    /// Ends the branches of `xids`.
    ///
    /// - Parameters:
    ///   - all: false leaves those that are not in `at` or `xa`.
    ///   - untold: transactions whose branches in `mt` are left.
    static func end(
        _ xids: [XID], as state: BranchState, all: Bool, untold: Set<XID>, in transaction: borrowing PostgresTransaction
    ) {
        guard !xids.isEmpty else { return }
        let parameters: [PostgresValue] = [.texts(xids.map(\.rawValue)), .text(state.rawValue)]
        if !all {
            transaction.add(Self.ending + " AND mode IN ('at', 'xa')", parameters)
        } else if untold.isEmpty {
            transaction.add(Self.ending, parameters)
        } else {
            transaction.add(Self.endingOthers, parameters + [.texts(untold.map(\.rawValue))])
        }
    }

    /// Keeps a branch that could not be ended for an operator to look at.
    static func stuck(_ xid: XID, why: String, in transaction: borrowing PostgresTransaction) {
        transaction.add(markStuck, [.text(xid.rawValue), .text(why)])
    }

    static func stuck(_ xid: XID, why: String, in database: PostgresDatabase) async throws {
        _ = try await database.query(markStuck, [.text(xid.rawValue), .text(why)])
    }

    /// Notes `why` of a branch that should have ended a minute ago; answers whether there is such a one. Not while somebody
    /// is just ending it.
    static func isLate(_ xid: XID, why: String, in database: PostgresDatabase) async throws -> Bool {
        try await database.query(
            """
            UPDATE settle.branch SET errormsg = $2
            WHERE xid = $1 AND branch_id = (
                SELECT branch_id FROM settle.branch
                WHERE xid = $1 AND ended_at IS NULL AND created_at < now() - interval '1 minute'
                ORDER BY branch_id LIMIT 1 FOR UPDATE SKIP LOCKED)
            """, [.text(xid.rawValue), .text(why)]
        ).affected > 0
    }

    private static let markStuck = """
        UPDATE settle.branch SET errormsg = $2, check_time = now() + interval '1 minute'
        WHERE xid = $1 AND ended_at IS NULL
        """
}

// The statements on batches.
extension BranchStore {
    /// The gates as `settle.branch_gate` has them, for many at once: passed by branches, closed by a rollback. All in the
    /// order of the keys, so that no two wait for each other.
    static let passing = gates("pg_advisory_xact_lock_shared")
    static let closing = gates("pg_advisory_xact_lock")

    private static func gates(_ lock: String) -> String {
        """
        SELECT \(lock)(hashtextextended(xid, 0))
        FROM (SELECT xid FROM unnest($1::text[]) AS xid ORDER BY xid OFFSET 0) AS gate
        """
    }

    static let refusal = """
        INSERT INTO settle.branch (xid, state, ended_at)
        SELECT xid, 'rolledBack', now() FROM unnest($1::text[]) AS gone (xid)
        WHERE (SELECT true FROM settle.branch b WHERE b.xid = gone.xid LIMIT 1) IS NULL
        ORDER BY xid ON CONFLICT DO NOTHING
        """

    static let locking =
        "SELECT \(Branch.columns) FROM settle.branch WHERE xid = ANY ($1::text[]) ORDER BY xid, branch_id FOR UPDATE"

    /// `ended_at` says the same as the state. Asked for the state, the planner would go along the index of what is undecided, which
    /// was short when it was analysed last.
    static let ending = """
        UPDATE settle.branch SET state = $2, ended_at = now(), errormsg = NULL
        WHERE xid = ANY ($1::text[]) AND ended_at IS NULL
        """

    static let endingOthers = ending + " AND (mode <> 'mt' OR xid <> ALL ($3::text[]))"

    static let insertion = """
        INSERT INTO settle.branch (xid, branch_id, state, mode, action, initiator, request, answer, check_time, deadline, ended_at)
        SELECT $1, $10, $2, $3, $4, $5, $6, $7, now() + $8 * interval '1 millisecond',
               clock_timestamp() + $9 * interval '1 millisecond', CASE WHEN $2 <> 'undecided' THEN now() END
        FROM settle.branch_gate($1)
        """

    /// What `$4` to `$8` say of the same part belongs together.
    static let groupInsertion = """
        INSERT INTO settle.branch
            (xid, branch_id, state, mode, action, initiator, request, answer, check_time, deadline)
        SELECT xid, branch_id,
               (SELECT CASE WHEN count(known.ended_at) > 0 THEN settle.branch_refuse('ST011')
                            WHEN count(*) >= 64 THEN settle.branch_refuse('ST012') ELSE 'undecided' END
                FROM settle.branch known WHERE known.xid = part.xid),
               $1, $2, initiator, request, answer, now() + $3 * interval '1 millisecond',
               clock_timestamp() + time_left * interval '1 millisecond'
        FROM unnest($4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::text[])
            AS part (xid, initiator, request, answer, time_left, branch_id)
        ORDER BY xid, branch_id
        """

    static let groupLimit = "SELECT settle.at_limit(xid, $2) FROM unnest($1::text[]) AS xid"

    static let limitedInsertion = insertion + ", settle.at_limit($1, $11)"
}

extension BranchStore.Branch {
    static let columns = "xid, mode, action, request, state, answer, errormsg, branch_id"

    init(row: PostgresRow) throws {
        let text = try row.decode(String.self, at: 0)
        guard let xid = XID(rawValue: text), let state = BranchState(rawValue: try row.decode(String.self, at: 4)),
            let id = BranchID(rawValue: try row.decode(String.self, at: 7))
        else {
            throw UnreadableMessage(description: "settle.branch holds an impossible row for '\(text)'")
        }
        self.xid = xid
        self.id = id
        self.state = state
        mode = try row.decode(String?.self, at: 1).flatMap(BranchMode.init)
        action = try row.decode(String?.self, at: 2) ?? ""
        request = try row.decode(String?.self, at: 3) ?? ""
        answer = try row.decode(String?.self, at: 5)
        errormsg = try row.decode(String?.self, at: 6)
    }
}
