import SettlePostgres

/// The texts of all statements over `task` and `task_his`, which `TaskStore` runs. Composed once, for the schema that the
/// tables are in: so each is one constant text, which a connection prepares once.
///
/// Wherever rows are locked it is in the order of their ids, so that no two statements can deadlock.
///
/// All cost the same for each task, however many there are, in the batch and in the table. So no step joins the batch with a
/// table, or with itself: the planner takes a batch for a handful, and would compare each row with each, or read the table.
/// Rows are found by `= ANY` of an array, or one by one by their key (LATERAL, with a lock or a LIMIT, which the planner
/// leaves as it is); what belongs to each gets there by a map.
struct TaskStatements: Sendable {
    let insert: String
    private let claimParts: (before: String, after: String)
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
    /// Those for tasks that wait for something, or are given up.
    let waiting: Waiting

    /// What a draft says of a task.
    static let columns = "task_type, business_key, mq_exchange, mq_routingkey, request_body, traceparent"

    /// Of `task_his`, in the order in which what ends a task writes them.
    static let archived = """
        id, create_time, update_time, delete_time, task_type, business_key, mq_exchange, mq_routingkey, request_body, status,
        attempts, due_time, errormsg, traceparent, \(Waiting.columns)
        """

    /// What a task's type has of its own, in four parameters from `first` on: `TaskSettings.typeParameters`; else `standard`.
    static func setting(_ name: String, from first: Int, else standard: String) -> String {
        """
        coalesce((SELECT own.\(name)
                          FROM unnest($\(first)::text[], $\(first + 1)::bigint[], $\(first + 2)::bigint[], $\(first + 3)::bigint[])
                              AS own (task_type, lease, republish, most)
                          WHERE own.task_type = task.task_type), \(standard))
        """
    }

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

    /// Claims up to `limit` tasks; where `$7` is given, of those that are due for no longer than so many microseconds. The limit
    /// is in the text, for the planner: of an unknown one it thinks that it is a tenth of what is due, and would rather sort
    /// all of that than go along the index.
    func claim(limit: Int) -> String { "\(claimParts.before) \(limit)\n\(claimParts.after)" }

    /// - Parameter purgeBatch: how many archived tasks one statement of a purge walks past.
    init(schema: SchemaName, purgeBatch: Int) {
        waiting = Waiting(schema: schema)
        let task = "\(schema.quoted).task AS task"
        let history = "\(schema.quoted).task_his AS task_his"

        // Ids come back in the order of the arrays: the identity's nextval is evaluated per row of the ordered input.
        insert = """
            INSERT INTO \(task) (\(Self.columns), due_time)
            SELECT \(Self.columns), now() + lease * interval '1 millisecond'
            FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[])
                AS t (\(Self.columns), lease)
            RETURNING \(OutgoingTask.columns)
            """

        // SKIP LOCKED lets any number of schedulers claim side by side. The last row is of no task: it says which types are
        // paused, whether any is being resumed, and whether any task has expired. Who resumes a type waits for claims that
        // know it as paused, hence FOR SHARE: so none is marked as paused after that.
        let isPaused =
            "EXISTS (SELECT FROM paused) AND task_type = ANY (ARRAY(SELECT task_type FROM paused WHERE NOT resuming))"
        let most = Self.setting("most", from: 3, else: "$2")
        claimParts = (
            """
            WITH paused AS MATERIALIZED (
                SELECT task_type, resuming FROM \(schema.quoted).task_pause WHERE task_type >= '' FOR SHARE),
            picked AS (
                SELECT id, due_time FROM \(task)
                WHERE status = 'pending' AND due_time <= now()
                  AND due_time >= coalesce(now() - $7 * interval '1 microsecond', '-infinity') ORDER BY due_time LIMIT
            """,
            """
                FOR UPDATE SKIP LOCKED),
            claimed AS (
                UPDATE \(task) SET
                    attempts = attempts + CASE WHEN attempts >= \(most) OR \(isPaused) THEN 0 ELSE 1 END,
                    status = CASE WHEN \(isPaused) THEN 'paused' WHEN attempts < \(most) THEN 'pending' ELSE 'parked' END,
                    due_time = now() + \(Self.setting("lease", from: 3, else: "$1")) * interval '1 millisecond',
                    update_time = now()
                WHERE id = ANY (ARRAY(SELECT id FROM picked))
                RETURNING \(OutgoingTask.columns), status, errormsg,
                          (extract(epoch FROM now() - (SELECT max(due_time) FROM picked)) * 1000000)::bigint)
            SELECT * FROM claimed
            UNION ALL SELECT \(Array(repeating: "NULL", count: OutgoingTask.columnCount).joined(separator: ", ")),
                (SELECT json_agg(task_type) FROM paused WHERE NOT resuming)::text,
                CASE WHEN EXISTS (SELECT FROM paused WHERE resuming) THEN 'resuming' END,
                CASE WHEN EXISTS (SELECT FROM \(task) WHERE expires_at <= now()) THEN 1 END
            """
        )

        // A row that somebody holds is being answered or claimed right now and needs no mark.
        let republish = Self.setting("republish", from: 5, else: "$3")
        postpone = """
            WITH held AS (
                SELECT task.id
                FROM (SELECT id, due FROM unnest($1::bigint[], $2::bigint[]) AS s (id, due) ORDER BY id) sent
                CROSS JOIN LATERAL (
                    SELECT id FROM \(task) WHERE task.id = sent.id AND \(TaskLease.column) = sent.due
                    FOR UPDATE SKIP LOCKED) task)
            UPDATE \(task) SET due_time = now() + (0.9 + random() * 0.2) * interval '1 millisecond' * (
                SELECT least(greatest($4, after), after * 2 ^ least(attempts - 1, 30)) FROM (SELECT \(republish) AS after) r)
            WHERE id = ANY (ARRAY(SELECT id FROM held))
            """

        refused = """
            WITH held AS (
                SELECT task.id, reason, wait
                FROM (SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[])
                          AS r (id, due, reason, wait) ORDER BY id) refusal
                CROSS JOIN LATERAL (
                    SELECT id FROM \(task) WHERE task.id = refusal.id AND \(TaskLease.column) = refusal.due
                    FOR UPDATE) task)
            UPDATE \(task) SET
                errormsg = (SELECT jsonb_object_agg(id, reason) FROM held) ->> id::text, update_time = now(),
                due_time = now() + ((SELECT jsonb_object_agg(id, wait) FROM held) -> id::text)::bigint
                                   * interval '1 millisecond'
            WHERE id = ANY (ARRAY(SELECT id FROM held))
            """

        // No index changes.
        notAttempted = """
            WITH held AS (
                SELECT id FROM \(task) WHERE id = ANY ($1::bigint[]) ORDER BY id FOR UPDATE SKIP LOCKED)
            UPDATE \(task) SET attempts = greatest(attempts - 1, 0) WHERE id = ANY (ARRAY(SELECT id FROM held))
            """

        held = """
            WITH free AS (SELECT id FROM \(task) WHERE id = ANY($1::bigint[]) FOR UPDATE SKIP LOCKED)
            SELECT id, business_key, id IN (SELECT id FROM free) FROM \(task) WHERE id = ANY($1::bigint[])
            """

        // What is held goes: nobody else can delete it now.
        archive = """
            WITH held AS (
                SELECT task.*, answer.status AS answered, answer.errormsg AS reason
                FROM (SELECT *
                      FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[])
                          AS a (id, task_type, status, errormsg, request_body, create_time) ORDER BY id) answer
                CROSS JOIN LATERAL (
                    SELECT * FROM \(task)
                    WHERE task.id = answer.id
                      AND coalesce(answer.task_type = task.task_type, true)
                      AND coalesce(answer.request_body = task.request_body, true)
                      AND coalesce(answer.create_time = (extract(epoch FROM task.create_time) * 1000)::bigint, true)
                    FOR UPDATE) task),
            gone AS (DELETE FROM \(task) WHERE id = ANY (ARRAY(SELECT id FROM held)))
            INSERT INTO \(history) (\(Self.archived))
            SELECT id, create_time, now(), now(), task_type, business_key, mq_exchange, mq_routingkey, request_body,
                   answered, attempts, due_time, reason, traceparent, \(Waiting.columns) FROM held
            RETURNING \(AnsweredTask.columns)
            """

        // Those that were given up, too, with what became of them.
        live = """
            SELECT id, NULL FROM \(task) WHERE id = ANY ($1::bigint[])
            UNION ALL SELECT id, status FROM \(history) WHERE id = ANY ($1::bigint[]) AND status IN ('expired', 'discarded')
            ORDER BY 1
            """

        about = """
            SELECT \(TaskRecord.columns) FROM \(task) WHERE business_key = $1
            UNION ALL SELECT \(TaskRecord.columns) FROM \(history) WHERE business_key = $1 ORDER BY 1
            """
        func list(_ table: String, by order: String) -> String {
            """
            SELECT \(TaskRecord.columns) FROM \(table)
            WHERE ($1::text IS NULL OR status = $1) AND ($3::text IS NULL OR task_type = $3) ORDER BY \(order) LIMIT $2
            """
        }
        listLive = list(task, by: "id")
        listArchived = list(history, by: "id DESC")

        backlog = """
            SELECT count(*) FILTER (WHERE status = 'pending'), count(*) FILTER (WHERE status = 'parked'),
                   coalesce(extract(epoch FROM now() - min(greatest(create_time, not_before)) FILTER (
                       WHERE status = 'pending' AND coalesce(not_before <= now(), true))), 0)::float8,
                   count(*) FILTER (WHERE status = 'pending' AND not_before > now()),
                   count(*) FILTER (WHERE status = 'waiting'),
                   coalesce(extract(epoch FROM now() - min(create_time) FILTER (WHERE status = 'waiting')), 0)::float8,
                   count(*) FILTER (WHERE status = 'parked' AND order_key IS NOT NULL AND \(Waiting.isFirst(schema))),
                   count(*) FILTER (WHERE status = 'paused'),
                   (SELECT count(*) FROM \(schema.quoted).task_pause WHERE NOT resuming),
                   (SELECT coalesce(extract(epoch FROM now() - min(paused_at)), 0)::float8
                    FROM \(schema.quoted).task_pause WHERE NOT resuming)
            FROM \(task)
            """

        // What has a place in a line goes back to it.
        let due = """
            status = CASE WHEN order_key IS NULL OR \(Waiting.isFirst(schema)) THEN 'pending' ELSE 'waiting' END,
            attempts = 0, due_time = now(), update_time = now()
            """
        makeDue = """
            UPDATE \(task) SET \(due) WHERE id = $1 AND status <> 'waiting' RETURNING id
            """

        // One that somebody holds is being answered right now.
        makeParkedDue = """
            WITH parked AS (
                SELECT id FROM \(task)
                WHERE status = 'parked' AND id > $1 AND ($2::text IS NULL OR task_type = $2)
                ORDER BY id LIMIT $3 FOR UPDATE SKIP LOCKED)
            UPDATE \(task) SET \(due)
            WHERE id = ANY (ARRAY(SELECT id FROM parked)) RETURNING task.id
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
