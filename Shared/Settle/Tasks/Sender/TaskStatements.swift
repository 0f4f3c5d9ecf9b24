import SettlePostgres

/// The texts of all statements over `task` and `task_his`, which `TaskStore` runs. Composed once, for the schema that the
/// tables are in: so each is one constant text, which a connection prepares once.
///
/// Wherever rows are locked it is in the order of their ids, so that no two statements can deadlock.
struct TaskStatements: Sendable {
    let insert: String
    let claim: String
    let postpone: String
    let refused: String
    let notAttempted: String
    let held: String
    let archive: String
    let live: String
    let about: String
    let listLive: String
    let listArchived: String
    let backlog: String
    let makeDue: String
    let makeParkedDue: String
    let purge: String

    /// What a draft says of a task.
    private static let columns = "task_type, business_key, mq_exchange, mq_routingkey, request_body, traceparent"

    /// For who has no `TaskStore`: tasks that are due at once, whoever writes them, and not yet sent.
    ///
    /// - Parameter rows: of texts, in the order of `columns`; an empty trace stands for none.
    static func insertDue(_ schema: SchemaName, _ rows: String) -> String {
        """
        INSERT INTO \(schema.quoted).task AS task (\(columns), due_time, attempts)
        SELECT task_type, business_key, mq_exchange, mq_routingkey, request_body, nullif(traceparent, ''), now(), 0
        FROM \(rows) AS t (\(columns))
        RETURNING task.id
        """
    }

    /// - Parameter purgeBatch: how many archived tasks one statement of a purge walks past.
    init(schema: SchemaName, purgeBatch: Int) {
        let task = "\(schema.quoted).task AS task"
        let history = "\(schema.quoted).task_his AS task_his"

        // Ids come back in the order of the arrays: the identity's nextval is evaluated per row of the ordered input.
        insert = """
            INSERT INTO \(task) (\(Self.columns), due_time)
            SELECT t.*, now() + $7 * interval '1 millisecond'
            FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) AS t
            RETURNING \(OutgoingTask.columns)
            """

        // SKIP LOCKED lets any number of schedulers claim side by side.
        claim = """
            WITH due AS (
                SELECT id FROM \(task) WHERE status = 'pending' AND due_time <= now()
                ORDER BY due_time LIMIT $1 FOR UPDATE SKIP LOCKED)
            UPDATE \(task) SET
                attempts = attempts + CASE WHEN attempts < $3 THEN 1 ELSE 0 END,
                status = CASE WHEN attempts < $3 THEN 'pending' ELSE 'parked' END,
                due_time = now() + $2 * interval '1 millisecond',
                update_time = now()
            FROM due WHERE task.id = due.id
            RETURNING \(OutgoingTask.columns), status = 'parked', errormsg
            """

        // A row that somebody holds is being answered or claimed right now and needs no mark.
        postpone = """
            WITH sent AS (SELECT * FROM unnest($1::bigint[], $2::bigint[]) AS s (id, due)),
            held AS (
                SELECT task.id FROM \(task) JOIN sent USING (id) WHERE \(TaskLease.column) = sent.due
                ORDER BY id FOR UPDATE OF task SKIP LOCKED)
            UPDATE \(task) SET due_time = now() + least($4, $3 * 2 ^ least(attempts - 1, 30))
                                                  * (0.9 + random() * 0.2) * interval '1 millisecond'
            FROM held WHERE task.id = held.id
            """

        refused = """
            WITH refusal AS (
                SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[]) AS r (id, due, reason, wait)),
            held AS (
                SELECT task.id, reason, wait FROM \(task) JOIN refusal USING (id)
                WHERE \(TaskLease.column) = refusal.due ORDER BY id FOR UPDATE OF task)
            UPDATE \(task) SET errormsg = held.reason, update_time = now(),
                               due_time = now() + held.wait * interval '1 millisecond'
            FROM held WHERE task.id = held.id
            """

        // No index changes.
        notAttempted = """
            WITH held AS (
                SELECT id FROM \(task) WHERE id = ANY($1::bigint[]) ORDER BY id FOR UPDATE SKIP LOCKED)
            UPDATE \(task) SET attempts = greatest(attempts - 1, 0) FROM held WHERE task.id = held.id
            """

        held = """
            WITH free AS (SELECT id FROM \(task) WHERE id = ANY($1::bigint[]) FOR UPDATE SKIP LOCKED)
            SELECT id, business_key, id IN (SELECT id FROM free) FROM \(task) WHERE id = ANY($1::bigint[])
            """

        archive = """
            WITH answer AS (
                SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[])
                    AS a (id, task_type, status, errormsg, request_body, create_time)),
            held AS (
                SELECT task.id, answer.status, answer.errormsg FROM \(task) JOIN answer USING (id)
                WHERE coalesce(answer.task_type = task.task_type, true)
                  AND coalesce(answer.request_body = task.request_body, true)
                  AND coalesce(answer.create_time = (extract(epoch FROM task.create_time) * 1000)::bigint, true)
                ORDER BY id FOR UPDATE OF task),
            gone AS (DELETE FROM \(task) USING held WHERE task.id = held.id
                     RETURNING task.*, held.status AS answered, held.errormsg AS reason)
            INSERT INTO \(history) (id, create_time, update_time, delete_time, task_type, business_key, mq_exchange,
                                    mq_routingkey, request_body, status, attempts, due_time, errormsg, traceparent)
            SELECT id, create_time, now(), now(), task_type, business_key, mq_exchange, mq_routingkey, request_body,
                   answered, attempts, due_time, reason, traceparent FROM gone
            RETURNING \(AnsweredTask.columns)
            """

        live = "SELECT id FROM \(task) WHERE id = ANY($1::bigint[]) ORDER BY id"

        about = """
            SELECT \(TaskRecord.columns) FROM \(task) WHERE business_key = $1
            UNION ALL SELECT \(TaskRecord.columns) FROM \(history) WHERE business_key = $1 ORDER BY 1
            """
        func list(_ table: String, by order: String) -> String {
            """
            SELECT \(TaskRecord.columns) FROM \(table) WHERE $1::text IS NULL OR status = $1 ORDER BY \(order) LIMIT $2
            """
        }
        listLive = list(task, by: "id")
        listArchived = list(history, by: "id DESC")

        backlog = """
            SELECT count(*) FILTER (WHERE status = 'pending'), count(*) FILTER (WHERE status = 'parked'),
                   coalesce(extract(epoch FROM now() - min(create_time) FILTER (WHERE status = 'pending')), 0)::float8
            FROM \(task)
            """

        makeDue = """
            UPDATE \(task) SET status = 'pending', attempts = 0, due_time = now(), update_time = now() WHERE id = $1
            RETURNING id
            """

        // One that somebody holds is being answered right now.
        makeParkedDue = """
            WITH parked AS (
                SELECT id FROM \(task)
                WHERE status = 'parked' AND id > $1 AND ($2::text IS NULL OR task_type = $2)
                ORDER BY id LIMIT $3 FOR UPDATE SKIP LOCKED)
            UPDATE \(task) SET status = 'pending', attempts = 0, due_time = now(), update_time = now()
            FROM parked WHERE task.id = parked.id RETURNING task.id
            """

        // Along the primary key: ids are given in the order of time. `create_time` says how far a round need go, since no
        // task is archived before it is created; one that was answered late is walked past and looked at again later.
        purge = """
            WITH walked AS MATERIALIZED (
                SELECT id, create_time < now() - $1 * interval '1 millisecond' AS may_be_old,
                       delete_time < now() - $1 * interval '1 millisecond' AS is_old
                FROM \(history) WHERE id > $2 ORDER BY id LIMIT \(purgeBatch)),
            gone AS (DELETE FROM \(history) WHERE id = ANY (ARRAY(SELECT id FROM walked WHERE is_old)) RETURNING 1)
            SELECT count(*) FILTER (WHERE may_be_old), (SELECT count(*) FROM gone), max(id) FILTER (WHERE may_be_old)
            FROM walked
            """
    }
}
