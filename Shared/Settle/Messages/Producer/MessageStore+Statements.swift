import SettlePostgres

// The statements. As those of tasks they cost the same for each message: rows are found by `= ANY` of an array, or one by one
// by their key, and locked in the order of their keys.
extension MessageStore {
    static let insertion = """
        INSERT INTO settle.pre_message (\(StoredMessage.columns), state, deadline, due_time)
        SELECT \(StoredMessage.columns), $8, now() + $9 * interval '1 millisecond', now() + $10 * interval '1 millisecond'
        FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
            AS m (\(StoredMessage.columns))
        """

    static let completion = """
        WITH done AS (
            UPDATE settle.pre_message SET state = 'done' WHERE id = ANY ($1::uuid[]) AND state = 'pre' RETURNING 1)
        SELECT CASE WHEN (SELECT count(*) FROM done) < cardinality($1::uuid[]) THEN settle.message_too_late() END
        """

    /// The number is in the text, for the planner; SKIP LOCKED for replicas, and for transactions that are just committing.
    static func claim(_ limit: Int) -> String {
        """
        WITH picked AS (
            SELECT id FROM settle.pre_message WHERE due_time <= now() ORDER BY due_time LIMIT \(limit)
            FOR UPDATE SKIP LOCKED)
        UPDATE settle.pre_message SET attempts = attempts + 1, due_time = now() + $1 * interval '1 millisecond'
        WHERE id = ANY (ARRAY(SELECT id FROM picked))
        RETURNING \(StoredMessage.columns), state = 'done', state = 'pre' AND deadline <= now()
        """
    }

    static let postponement = """
        WITH held AS (
            SELECT id FROM settle.pre_message WHERE id = ANY ($1::uuid[]) ORDER BY id FOR UPDATE SKIP LOCKED)
        UPDATE settle.pre_message SET due_time = now()
            + (0.9 + random() * 0.2) * interval '1 millisecond' * least(greatest($3::bigint, $2::bigint), $2 * 2 ^ least(attempts, 30))
        WHERE id = ANY (ARRAY(SELECT id FROM held))
        """

    /// What is held goes: nobody else can delete it now.
    static let archive = """
        WITH held AS (
            SELECT message.*, outcome.rejection
            FROM (SELECT * FROM unnest($1::uuid[], $2::text[]) AS o (id, rejection) ORDER BY id) outcome
            CROSS JOIN LATERAL (
                SELECT * FROM settle.pre_message WHERE pre_message.id = outcome.id AND state = 'done' FOR UPDATE) message),
        gone AS (DELETE FROM settle.pre_message WHERE id = ANY (ARRAY(SELECT id FROM held))),
        archived AS (
            INSERT INTO settle.message_his (id, create_time, message_type, business_key, status, attempts, errormsg)
            SELECT id, create_time, message_type, business_key,
                   CASE WHEN rejection IS NULL THEN $3 ELSE 'rejected' END, attempts, rejection FROM held)
        SELECT \(StoredMessage.columns), rejection FROM held
        """

    static let voiding = """
        WITH late AS (
            SELECT id FROM settle.pre_message WHERE id = ANY ($1::uuid[]) AND state = 'pre' AND deadline <= now()
            ORDER BY id FOR UPDATE SKIP LOCKED),
        gone AS (DELETE FROM settle.pre_message WHERE id = ANY (ARRAY(SELECT id FROM late)) RETURNING *)
        INSERT INTO settle.message_his (id, create_time, message_type, business_key, status, attempts)
        SELECT id, create_time, message_type, business_key, 'void', attempts FROM gone
        """

    static let verdicts = """
        SELECT id, CASE state WHEN 'done' THEN 'done' ELSE 'undecided' END
        FROM settle.pre_message WHERE id = ANY ($1::uuid[])
        UNION ALL
        SELECT id, CASE status WHEN 'void' THEN 'notDone' ELSE 'done' END
        FROM settle.message_his WHERE id = ANY ($1::uuid[])
        """

    static let about = """
        SELECT id, business_key, message_type, 'pending', attempts + 1, (extract(epoch FROM create_time) * 1000)::bigint, NULL::bigint,
               NULL::text
        FROM settle.pre_message WHERE business_key = $1
        UNION ALL
        SELECT id, business_key, message_type, status, attempts + 1, (extract(epoch FROM create_time) * 1000)::bigint,
               (extract(epoch FROM delete_time) * 1000)::bigint, errormsg
        FROM settle.message_his WHERE business_key = $1
        ORDER BY 1
        """

    static let backlog = """
        SELECT count(*), coalesce(extract(epoch FROM now() - min(create_time)), 0)::float8 FROM settle.pre_message
        """

    /// Along the primary key: ids are in the order of time. `create_time` says how far a round need go.
    static func purge(_ limit: Int) -> String {
        """
        WITH walked AS MATERIALIZED (
            SELECT id, create_time < now() - $1 * interval '1 millisecond' AS may_be_old,
                   delete_time < now() - $1 * interval '1 millisecond' AS is_old
            FROM settle.message_his WHERE id > $2 ORDER BY id LIMIT \(limit)),
        gone AS (DELETE FROM settle.message_his WHERE id = ANY (ARRAY(SELECT id FROM walked WHERE is_old)) RETURNING 1)
        SELECT count(*) FILTER (WHERE may_be_old), (SELECT count(*) FROM gone),
               max(id::text) FILTER (WHERE may_be_old)::uuid
        FROM walked
        """
    }
}
