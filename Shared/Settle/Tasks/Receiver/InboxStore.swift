import SettleCore
import SettlePostgres

/// The statements over `settle.inbox`: which tasks were decided here, and how.
struct InboxStore: Sendable {
    /// What is known of a task.
    enum Record: Equatable {
        /// Nothing was: it is written down now, and to be done.
        case new
        /// It was decided before.
        case decided(TaskAnswer)
        /// The key stands for a task with other content.
        case otherContent
    }

    /// A task as the table knows it.
    struct Entry: Sendable {
        let key: String
        /// The body in a form that does not depend on who wrote it.
        let content: String
    }

    /// Tells apart what different types of task are about.
    let queue: String

    private func parameters(_ entries: [Entry]) -> [PostgresValue] {
        [.text(queue), .texts(entries.map(\.key)), .texts(entries.map(\.content))]
    }

    /// LIMIT keeps it a look for each task, by the key, whatever the planner thinks of the table.
    static let known = """
        SELECT e.content = sha256(convert_to(i.content, 'UTF8')), e.rejected, e.answer
        FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS i (key, content, n)
        LEFT JOIN LATERAL (
            SELECT content, rejected, answer FROM settle.inbox WHERE queue = $1 AND key = i.key LIMIT 1
        ) e ON true
        ORDER BY n
        """

    static let new = """
        INSERT INTO settle.inbox (queue, key, content)
        SELECT $1, key, sha256(convert_to(content, 'UTF8')) FROM unnest($2::text[], $3::text[]) AS i (key, content)
        ORDER BY key ON CONFLICT DO NOTHING RETURNING key
        """

    /// By maps: a join would compare each task with each.
    static let conclusion = """
        UPDATE settle.inbox SET rejected = (SELECT jsonb_object($2::text[], $3::text[])) ->> key,
                                answer = (SELECT jsonb_object($2::text[], $4::text[])) ->> key
        WHERE queue = $1 AND key = ANY ($2::text[])
        """

    /// What was decided of `entries`; nil for those of which nothing is known. Locks nothing.
    func find(_ entries: [Entry], in database: PostgresDatabase) async throws -> [Record?] {
        try await database.query(Self.known, parameters(entries)).map(record)
    }

    /// Writes down those of `entries`, no two with the same key, that are new. Of those that another transaction is
    /// writing down right now it waits for the end.
    func add(_ entries: [Entry], in transaction: borrowing PostgresTransaction) throws -> [Record] {
        let added = transaction.add(Self.new, parameters(entries))
        // A statement of its own, and so a later snapshot: it sees what the insert waited for.
        let known = try transaction.query(Self.known, parameters(entries)).map(record)
        let new = try transaction.rows(of: added).map { try $0.decode(String.self, at: 0) }.byteKeys
        return try zip(entries, known).map { entry, record in
            if new.contains(ByteKey(entry.key)) { return .new }
            guard let record else { throw StillUndecided(count: 1) }
            return record
        }
    }

    /// Remembers what became of tasks that were added in this transaction; of the others, that they were done.
    func conclude(_ answers: [(key: String, answer: TaskAnswer)], in transaction: borrowing PostgresTransaction) {
        let said = answers.filter { $0.answer != .finished }
        guard !said.isEmpty else { return }
        transaction.add(
            Self.conclusion,
            [
                .text(queue), .texts(said.map(\.key)), .texts(said.map(\.answer.reason)),
                .texts(said.map(\.answer.body)),
            ])
    }

    private func record(_ row: PostgresRow) throws -> Record? {
        guard let isSame = try row.decode(Bool?.self, at: 0) else { return nil }
        guard isSame else { return .otherContent }
        if let reason = try row.decode(String?.self, at: 1) { return .decided(.rejected(reason: reason)) }
        return .decided(try row.decode(String?.self, at: 2).map { .answered(body: $0) } ?? .finished)
    }
}

extension TaskAnswer {
    fileprivate var reason: String? { if case .rejected(let reason) = self { reason } else { nil } }
    fileprivate var body: String? { if case .answered(let body) = self { body } else { nil } }
}
