import SettlePostgres

extension TaskStatements {
    /// The statements for tasks that ask for something (a time, a place in a line, an end, to be the only one), for those
    /// that are given up, and for types that are paused.
    struct Waiting: Sendable {
        let insert: String
        let living: String
        let takeTurns: String
        let release: String
        let mend: String
        let expired: String
        let parkExpired: String
        let giveUp: String
        let park: String
        let some: String
        let pause: String
        let resume: String
        let pauses: String
        let unpause: String
        let endResuming: String
        let knows: String

        /// What a draft asks for.
        static let columns = "not_before, order_key, expires_at, on_expiry, unique_key"

        /// Whether a row of `task` is the first of its line.
        static func isFirst(_ schema: SchemaName) -> String {
            """
            NOT EXISTS (SELECT FROM \(schema.quoted).task AS earlier
                        WHERE earlier.order_key = task.order_key AND earlier.id < task.id)
            """
        }

        /// Of a time in microseconds.
        private static func time(_ microseconds: String) -> String {
            "timestamptz 'epoch' + \(microseconds) * interval '1 microsecond'"
        }

        /// What is added once more, while it lives, is not added.
        private static let oncePerKey = "ON CONFLICT (task_type, unique_key) WHERE unique_key IS NOT NULL DO NOTHING"

        /// As `insertDue`, with options: of texts, an empty one stands for none, and times are in microseconds.
        static func insertDue(_ schema: SchemaName, _ rows: String) -> String {
            """
            INSERT INTO \(schema.quoted).task AS task (\(TaskStatements.columns), due_time, attempts, \(columns))
            SELECT task_type, business_key, mq_exchange, mq_routingkey, request_body, nullif(traceparent, ''),
                   greatest(now(), \(time("nullif(not_before, '')::bigint"))), 0,
                   \(time("nullif(not_before, '')::bigint")), nullif(order_key, ''),
                   \(time("nullif(expires_at, '')::bigint")), nullif(on_expiry, ''), nullif(unique_key, '')
            FROM \(rows) AS t (\(TaskStatements.columns), \(columns))
            \(oncePerKey)
            RETURNING task.id
            """
        }

        init(schema: SchemaName) {
            let task = "\(schema.quoted).task AS task"
            let pauseTable = "\(schema.quoted).task_pause"

            // The trigger finds each its place in its line. What waits there, or for its time, is not handed over.
            insert = """
                INSERT INTO \(task) (\(TaskStatements.columns), due_time, attempts, \(Self.columns))
                SELECT \(TaskStatements.columns),
                       CASE WHEN not_before > now() THEN not_before ELSE now() + lease * interval '1 millisecond' END,
                       CASE WHEN not_before > now() THEN 0 ELSE 1 END, \(Self.columns)
                FROM (SELECT \(TaskStatements.columns), lease, \(Self.time("start")) AS not_before, order_key,
                             \(Self.time("stop")) AS expires_at, on_expiry, unique_key
                      FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[],
                                  $8::bigint[], $9::text[], $10::bigint[], $11::text[], $12::text[])
                          AS u (\(TaskStatements.columns), lease, start, order_key, stop, on_expiry, unique_key)) t
                \(Self.oncePerKey)
                RETURNING \(OutgoingTask.columns), status = 'pending' AND attempts > 0, unique_key
                """

            living = """
                SELECT (SELECT id FROM \(task) WHERE task.task_type = named.task_type AND task.unique_key = named.unique_key)
                FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS named (task_type, unique_key, n) ORDER BY n
                """

            // All in one order, before the trigger takes them one by one: so two that add to the same lines do not meet.
            takeTurns = """
                SELECT pg_advisory_xact_lock(line) FROM (
                    SELECT DISTINCT hashtextextended(order_key, '\(schema.quoted).task'::regclass::oid::bigint) AS line
                    FROM unnest($1::text[]) AS order_key ORDER BY line) lines
                """

            let released = """
                status = 'pending', update_time = now(), attempts = CASE WHEN not_before > now() THEN 0 ELSE 1 END,
                due_time = CASE WHEN not_before > now() THEN not_before ELSE
                    now() + \(TaskStatements.setting("lease", from: 3, else: "$2")) * interval '1 millisecond' END
                """
            // In a statement after the one that ended the task before it: whoever added behind that has committed by then,
            // and is seen.
            release = """
                WITH next AS (
                    SELECT first.id FROM unnest($1::text[]) AS line (order_key)
                    CROSS JOIN LATERAL (
                        SELECT id, status FROM \(task) WHERE task.order_key = line.order_key ORDER BY id LIMIT 1) first
                    WHERE first.status = 'waiting')
                UPDATE \(task) SET \(released)
                WHERE id = ANY (ARRAY(SELECT id FROM next)) AND status = 'waiting'
                RETURNING \(OutgoingTask.columns), attempts > 0
                """

            // For what was taken out of the midst of a line while the one before it was answered, or by hand.
            mend = """
                WITH next AS (
                    SELECT id FROM \(task) WHERE status = 'waiting' AND \(Self.isFirst(schema))
                    ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED)
                UPDATE \(task) SET \(released)
                WHERE id = ANY (ARRAY(SELECT id FROM next))
                RETURNING \(OutgoingTask.columns), attempts > 0
                """

            expired = """
                SELECT id FROM \(task) WHERE expires_at <= now() AND on_expiry = 'drop' AND task_type = ANY ($1::text[])
                ORDER BY expires_at LIMIT $2
                """

            let why = """
                'expired: ' || CASE WHEN attempts = 0 THEN 'it was never sent' ELSE
                    'nobody answered in time; it was sent ' || attempts || ' times, and may have been done' END
                """
            parkExpired = """
                WITH over AS (
                    SELECT id FROM \(task) WHERE expires_at <= now() AND on_expiry = 'park'
                    ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED)
                UPDATE \(task) SET status = 'parked', errormsg = \(why), expires_at = NULL, on_expiry = NULL,
                                   update_time = now()
                WHERE id = ANY (ARRAY(SELECT id FROM over)) RETURNING task.id
                """

            // What is held goes, as with an answer. `$4`: the types that somebody here follows.
            giveUp = """
                WITH held AS (
                    SELECT * FROM \(task)
                    WHERE id = ANY ($1::bigint[]) AND task_type = ANY ($4::text[])
                      AND ($2 <> 'expired' OR expires_at <= now()) ORDER BY id FOR UPDATE),
                gone AS (DELETE FROM \(task) WHERE id = ANY (ARRAY(SELECT id FROM held)))
                INSERT INTO \(schema.quoted).task_his AS task_his (\(TaskStatements.archived))
                SELECT id, create_time, now(), now(), task_type, business_key, mq_exchange, mq_routingkey, request_body,
                       $2, attempts, due_time, coalesce($3, \(why)), traceparent, \(Self.columns) FROM held
                RETURNING \(AnsweredTask.columns)
                """

            park = """
                UPDATE \(task) SET status = 'parked', errormsg = $2, expires_at = NULL, on_expiry = NULL, update_time = now()
                WHERE id = $1
                """

            some = """
                SELECT id FROM \(task)
                WHERE id > $1 AND status = $2 AND ($3::text IS NULL OR task_type = $3) ORDER BY id LIMIT $4
                """

            pause = """
                INSERT INTO \(pauseTable) AS paused (task_type, reason) VALUES ($1, $2)
                ON CONFLICT (task_type) DO UPDATE SET
                    reason = excluded.reason, resuming = false,
                    paused_at = CASE WHEN paused.resuming THEN now() ELSE paused.paused_at END
                """
            resume = "UPDATE \(pauseTable) SET resuming = true WHERE task_type = $1 AND NOT resuming RETURNING 1"
            pauses = """
                SELECT task_type, (extract(epoch FROM paused_at) * 1000)::bigint, reason
                FROM \(pauseTable) WHERE NOT resuming ORDER BY task_type
                """
            unpause = """
                WITH over AS (
                    SELECT id FROM \(task)
                    WHERE status = 'paused'
                      AND task_type = ANY (ARRAY(SELECT task_type FROM \(pauseTable) WHERE task_type >= '' AND resuming))
                    ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED)
                UPDATE \(task) SET status = 'pending', due_time = now(), update_time = now()
                WHERE id = ANY (ARRAY(SELECT id FROM over)) RETURNING task.id
                """
            endResuming = """
                DELETE FROM \(pauseTable) AS paused WHERE resuming AND NOT EXISTS (
                    SELECT FROM \(task) WHERE status = 'paused' AND task.task_type = paused.task_type)
                """
            knows = "SELECT EXISTS (SELECT FROM \(task) WHERE task_type = $1)"
        }
    }
}
