import SettleCore
import SettlePostgres

/// The statements over `task` and `task_his`.
public struct TaskStore: Sendable {
    let database: PostgresDatabase
    let settings: TaskSettings

    /// Leases up to `limit` due tasks to the caller and returns them; parks instead those whose attempts are used up.
    ///
    /// SKIP LOCKED lets any number of schedulers claim side by side.
    func claim(limit: Int) async throws -> (tasks: [OutgoingTask], parked: [ParkedTask]) {
        let begin = ContinuousClock.now
        let rows = try await database.query(
            """
            WITH due AS (
                SELECT id FROM task WHERE status = 'pending' AND due_time <= now()
                ORDER BY due_time LIMIT $1 FOR UPDATE SKIP LOCKED)
            UPDATE task SET
                attempts = attempts + CASE WHEN attempts < $3 THEN 1 ELSE 0 END,
                status = CASE WHEN attempts < $3 THEN 'pending' ELSE 'parked' END,
                due_time = now() + $2 * interval '1 millisecond',
                update_time = now()
            FROM due WHERE task.id = due.id
            RETURNING task.id, (extract(epoch FROM create_time) * 1000)::bigint, task_type, business_key, mq_exchange,
                      mq_routingkey, request_body, attempts, traceparent, \(TaskLease.column), status = 'parked',
                      errormsg
            """,
            [.int(limit), .int(settings.lease.milliseconds), .int(settings.maxAttempts)])
        let leaseEnd = begin + settings.lease
        var claimed: [OutgoingTask] = []
        var parked: [ParkedTask] = []
        for row in rows {
            let task = try OutgoingTask(row: row, leaseEnd: leaseEnd)
            if try row.decode(Bool.self, at: 10) {
                parked.append(ParkedTask(task: task, errormsg: try row.decode(String?.self, at: 11)))
            } else {
                claimed.append(task)
            }
        }
        return (claimed, parked)
    }

    /// The broker has these: they are sent again only if no answer comes for long, later each time. A task that is not as
    /// it was sent any more, since an operator retried it or another process claimed it, is left alone.
    ///
    /// Locked in the order of their ids like everywhere else, so that two of these statements cannot deadlock; a row
    /// that somebody holds is being answered or claimed right now and needs no mark.
    func postpone(_ leases: [TaskLease]) async throws {
        _ = try await database.query(
            """
            WITH sent AS (SELECT * FROM unnest($1::bigint[], $2::bigint[]) AS s (id, due)),
            held AS (
                SELECT task.id FROM task JOIN sent USING (id) WHERE \(TaskLease.column) = sent.due
                ORDER BY id FOR UPDATE OF task SKIP LOCKED)
            UPDATE task SET due_time = now() + least($4, $3 * 2 ^ least(attempts - 1, 30)) * (0.9 + random() * 0.2)
                                             * interval '1 millisecond'
            FROM held WHERE task.id = held.id
            """,
            [
                .int64s(leases.map(\.id)), .int64s(leases.map(\.due)), .int(settings.republishAfter.milliseconds),
                .int(settings.republishCap.milliseconds),
            ])
    }

    /// The broker would not take these: says why in the row, and when they are tried again; as with `postpone`, only what
    /// is still as it was sent.
    func refused(_ refusals: [Refusal]) async throws {
        _ = try await database.query(
            """
            WITH refusal AS (
                SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[]) AS r (id, due, reason, wait)),
            held AS (
                SELECT task.id, reason, wait FROM task JOIN refusal USING (id) WHERE \(TaskLease.column) = refusal.due
                ORDER BY id FOR UPDATE OF task)
            UPDATE task SET errormsg = held.reason, update_time = now(),
                            due_time = now() + held.wait * interval '1 millisecond'
            FROM held WHERE task.id = held.id
            """,
            [
                .int64s(refusals.map(\.lease.id)), .int64s(refusals.map(\.lease.due)), .texts(refusals.map(\.reason)),
                .ints(refusals.map { settings.refusedBackoff.delay(attempt: $0.attempts).milliseconds }),
            ])
    }

    /// The broker never got these, or never said so: what was counted as an attempt was none. Each was counted once, by
    /// whom it was sent, so this needs no lease. They come due when their lease ends; no index changes.
    func notAttempted(_ ids: [Int64]) async throws {
        _ = try await database.query(
            """
            WITH held AS (SELECT id FROM task WHERE id = ANY($1::bigint[]) ORDER BY id FOR UPDATE SKIP LOCKED)
            UPDATE task SET attempts = greatest(attempts - 1, 0) FROM held WHERE task.id = held.id
            """, [.int64s(ids)])
    }

    /// Moves the answered tasks to `task_his`, inside `transaction`; returns those that were still there.
    ///
    /// An answer that comes again finds nothing: it makes no second row and has no second effect. So does one to another
    /// task with the same id, of a database that was reset or of another sender on the same route: what an answer
    /// carries of its task must be the task's own.
    ///
    /// - Parameter answers: no two with the same id.
    func archive(_ answers: [Answer], in transaction: borrowing PostgresTransaction) throws -> [AnsweredTask] {
        let rows = try transaction.query(
            """
            WITH answer AS (
                SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[])
                    AS a (id, task_type, status, errormsg, request_body, create_time)),
            held AS (
                SELECT task.id, answer.status, answer.errormsg FROM task JOIN answer USING (id)
                WHERE coalesce(answer.task_type = task.task_type, true)
                  AND coalesce(answer.request_body = task.request_body, true)
                  AND coalesce(answer.create_time = (extract(epoch FROM task.create_time) * 1000)::bigint, true)
                ORDER BY id FOR UPDATE OF task),
            gone AS (DELETE FROM task USING held WHERE task.id = held.id
                     RETURNING task.*, held.status AS answered, held.errormsg AS reason)
            INSERT INTO task_his (id, create_time, update_time, delete_time, task_type, business_key, mq_exchange,
                                  mq_routingkey, request_body, status, attempts, due_time, errormsg, traceparent)
            SELECT id, create_time, now(), now(), task_type, business_key, mq_exchange, mq_routingkey, request_body,
                   answered, attempts, due_time, reason, traceparent FROM gone
            RETURNING id, task_type, business_key, request_body, errormsg, traceparent,
                      extract(epoch FROM clock_timestamp() - create_time)::float8
            """,
            [
                .int64s(answers.map(\.id)), .texts(answers.map(\.taskType)), .texts(answers.map(\.status.rawValue)),
                .texts(answers.map(\.errormsg)), .texts(answers.map(\.requestBody)),
                .ints(answers.map { $0.createTime.map { Int($0) } }),
            ])
        let bodies = answers.reduce(into: [:]) { $0[$1.id] = $1.body }
        return try rows.map { try AnsweredTask(row: $0, bodies: bodies) }
    }

    /// Which of these are not archived.
    func live(_ ids: [Int64], in transaction: borrowing PostgresTransaction) throws -> [Int64] {
        try transaction.query("SELECT id FROM task WHERE id = ANY($1::bigint[]) ORDER BY id", [.int64s(ids)])
            .map { try $0.decode(Int64.self, at: 0) }
    }
}

/// A task that the broker returned or refused.
struct Refusal: Sendable {
    let lease: TaskLease
    let attempts: Int
    let reason: String
}

/// A task whose attempts were used up just now.
struct ParkedTask: Sendable {
    let task: OutgoingTask
    let errormsg: String?
}
