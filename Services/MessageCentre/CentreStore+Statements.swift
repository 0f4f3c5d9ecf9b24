import Settle
import SettlePostgres

// The statements. Rows are found by `= ANY` of an array, or one by one by their key, and locked in the order of ids or numbers;
// what belongs to each gets there by a map. So none compares each item of its batch with each.
extension CentreStore {
    private static let columns = "id, artist, exchange, routing_key, msg, param_map, headers, wants_outcome"
    private static let input = """
        unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])
        """

    static let insertion = """
        INSERT INTO message (\(columns), due_time)
        SELECT id, artist, exchange, routing_key, msg, param_map, headers, wants_outcome::boolean,
               now() + $9 * interval '1 millisecond'
        FROM \(input) AS m (\(columns)) ORDER BY id
        ON CONFLICT (id) DO NOTHING RETURNING id
        """

    /// LIMIT keeps it a look for each message, by its id, whatever the planner thinks of the table.
    static let comparison = """
        SELECT kept.artist = m.artist AND kept.exchange = m.exchange AND kept.routing_key = m.routing_key
               AND kept.msg = m.msg AND kept.param_map = m.param_map
        FROM \(input) WITH ORDINALITY AS m (\(columns), n)
        LEFT JOIN LATERAL (SELECT * FROM message WHERE message.id = m.id LIMIT 1) kept ON true
        ORDER BY n
        """

    static let confirmation = """
        WITH held AS (
            SELECT number FROM message
            WHERE id = ANY ($1::text[]) AND NOT is_confirmed AND status IN ('prepared', 'parked') ORDER BY id FOR UPDATE)
        UPDATE message SET status = 'confirmed', is_confirmed = true, sends = 1, update_time = now(), errormsg = NULL,
                           due_time = now() + $2 * interval '1 millisecond'
        WHERE number = ANY (ARRAY(SELECT number FROM held))
        RETURNING \(OutgoingTask.messageColumns)
        """

    static let statuses = "SELECT id, status, is_confirmed FROM message WHERE id = ANY ($1::text[])"

    /// `$2`: why it was rejected; null: it was done. A message that was never confirmed was sent to nobody.
    static let acknowledgement = """
        WITH held AS (
            SELECT message.number, said.rejection
            FROM (SELECT * FROM unnest($1::text[], $2::text[]) AS s (id, rejection) ORDER BY id) said
            CROSS JOIN LATERAL (
                SELECT number FROM message
                WHERE message.id = said.id AND is_confirmed AND archive_time IS NULL FOR UPDATE) message)
        UPDATE message SET
            status = CASE WHEN number = ANY (ARRAY(SELECT number FROM held WHERE rejection IS NULL))
                          THEN 'finished' ELSE 'rejected' END,
            errormsg = (SELECT jsonb_object_agg(number, rejection) FROM held) ->> number::text,
            archive_time = now(), update_time = now(), due_time = NULL,
            tell_time = CASE WHEN wants_outcome THEN now() + $3 * interval '1 millisecond' END
        WHERE number = ANY (ARRAY(SELECT number FROM held))
        RETURNING \(Outcome.columns), wants_outcome, extract(epoch FROM clock_timestamp() - create_time)::float8
        """

    static let discarding = """
        WITH held AS (
            SELECT number FROM message
            WHERE id = ANY ($1::text[]) AND archive_time IS NULL AND ($3 OR NOT is_confirmed) ORDER BY id FOR UPDATE)
        UPDATE message SET
            status = 'discarded', errormsg = $2, archive_time = now(), update_time = now(), due_time = NULL,
            tell_time = CASE WHEN wants_outcome AND is_confirmed THEN now() + $4 * interval '1 millisecond' END
        WHERE number = ANY (ARRAY(SELECT number FROM held))
        RETURNING \(Outcome.columns), wants_outcome AND is_confirmed
        """

    // MARK: Checks and outcomes

    /// The number is in the text, for the planner.
    static func claimChecks(_ limit: Int) -> String {
        """
        WITH picked AS (
            SELECT number FROM message WHERE status = 'prepared' AND due_time <= now() ORDER BY due_time LIMIT \(limit)
            FOR UPDATE SKIP LOCKED)
        UPDATE message SET
            checks = checks + CASE WHEN checks < $1 THEN 1 ELSE 0 END, update_time = now(),
            status = CASE WHEN checks < $1 THEN status ELSE 'parked' END,
            errormsg = CASE WHEN checks < $1 THEN errormsg ELSE 'its producer does not know whether it is done' END,
            due_time = CASE WHEN checks < $1 THEN now() + (0.9 + random() * 0.2) * interval '1 millisecond'
                                                          * least($3, $2 * 2 ^ least(checks, 30)) END
        WHERE number = ANY (ARRAY(SELECT number FROM picked))
        RETURNING \(Question.columns), status = 'parked'
        """
    }

    static let notChecked = """
        WITH held AS (
            SELECT number FROM message WHERE number = ANY ($1::bigint[]) ORDER BY number FOR UPDATE SKIP LOCKED)
        UPDATE message SET checks = greatest(checks - 1, 0) WHERE number = ANY (ARRAY(SELECT number FROM held))
        """

    static func claimOutcomes(_ limit: Int) -> String {
        """
        WITH picked AS (
            SELECT number FROM message WHERE tell_time <= now() ORDER BY tell_time LIMIT \(limit) FOR UPDATE SKIP LOCKED)
        UPDATE message SET
            tells = tells + 1, tell_time = now() + (0.9 + random() * 0.2) * interval '1 millisecond'
                                                   * least($2, $1 * 2 ^ least(tells, 30))
        WHERE number = ANY (ARRAY(SELECT number FROM picked))
        RETURNING \(Outcome.columns)
        """
    }

    static let told = """
        WITH held AS (
            SELECT number FROM message WHERE number = ANY ($1::bigint[]) AND tell_time IS NOT NULL ORDER BY number FOR UPDATE)
        UPDATE message SET tell_time = NULL WHERE number = ANY (ARRAY(SELECT number FROM held))
        """

    // MARK: Sending; as with tasks

    /// `$3`: for how many microseconds they may have been due.
    static func claimSends(_ limit: Int) -> String {
        """
        WITH picked AS (
            SELECT number, due_time FROM message
            WHERE status IN ('confirmed', 'sent') AND due_time <= now()
              AND due_time >= coalesce(now() - $3 * interval '1 microsecond', '-infinity')
            ORDER BY due_time LIMIT \(limit) FOR UPDATE SKIP LOCKED)
        UPDATE message SET
            sends = sends + CASE WHEN sends < $2 THEN 1 ELSE 0 END, update_time = now(),
            status = CASE WHEN sends < $2 THEN status ELSE 'parked' END,
            due_time = CASE WHEN sends < $2 THEN now() + $1 * interval '1 millisecond' END
        WHERE number = ANY (ARRAY(SELECT number FROM picked))
        RETURNING \(OutgoingTask.messageColumns), status = 'parked', errormsg,
                  (extract(epoch FROM now() - (SELECT max(due_time) FROM picked)) * 1000000)::bigint
        """
    }

    private static let lease = "(extract(epoch FROM due_time) * 1000000)::bigint"

    /// A row that somebody holds is being acknowledged or claimed right now and needs no mark.
    static let postponement = """
        WITH held AS (
            SELECT message.number
            FROM (SELECT * FROM unnest($1::bigint[], $2::bigint[]) AS s (number, due) ORDER BY number) sent
            CROSS JOIN LATERAL (
                SELECT number FROM message WHERE message.number = sent.number AND \(lease) = sent.due
                FOR UPDATE SKIP LOCKED) message)
        UPDATE message SET status = 'sent', due_time = now() + (0.9 + random() * 0.2) * interval '1 millisecond'
            * least(greatest($4::bigint, $3::bigint), $3 * 2 ^ least(greatest(sends - 1, 0), 30))
        WHERE number = ANY (ARRAY(SELECT number FROM held))
        """

    static let refused = """
        WITH held AS (
            SELECT message.number, reason, wait
            FROM (SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[])
                      AS r (number, due, reason, wait) ORDER BY number) refusal
            CROSS JOIN LATERAL (
                SELECT number FROM message WHERE message.number = refusal.number AND \(lease) = refusal.due
                FOR UPDATE) message)
        UPDATE message SET
            errormsg = (SELECT jsonb_object_agg(number, reason) FROM held) ->> number::text, update_time = now(),
            due_time = now() + ((SELECT jsonb_object_agg(number, wait) FROM held) -> number::text)::bigint
                               * interval '1 millisecond'
        WHERE number = ANY (ARRAY(SELECT number FROM held))
        """

    static let notAttempted = """
        WITH held AS (
            SELECT number FROM message WHERE number = ANY ($1::bigint[]) ORDER BY number FOR UPDATE SKIP LOCKED)
        UPDATE message SET sends = greatest(sends - 1, 0) WHERE number = ANY (ARRAY(SELECT number FROM held))
        """

    static let backlog = """
        SELECT count(*), (SELECT count(*) FROM message WHERE status = 'parked'),
               coalesce(extract(epoch FROM now() - min(create_time)), 0)::float8
        FROM message WHERE status IN ('confirmed', 'sent')
        """

    /// Along the primary key: numbers are in the order of time. `create_time` says how far a round need go.
    static func purge(_ limit: Int) -> String {
        """
        WITH walked AS MATERIALIZED (
            SELECT number, create_time < now() - $1 * interval '1 millisecond' AS may_be_old,
                   tell_time IS NULL AND archive_time < now() - $1 * interval '1 millisecond' AS is_old
            FROM message WHERE number > $2 ORDER BY number LIMIT \(limit)),
        gone AS (
            DELETE FROM message WHERE number = ANY (ARRAY(SELECT number FROM walked WHERE is_old)) RETURNING 1)
        SELECT count(*) FILTER (WHERE may_be_old), (SELECT count(*) FROM gone), max(number) FILTER (WHERE may_be_old)
        FROM walked
        """
    }

    // MARK: Operators

    static let list = "SELECT \(MessageEntry.columns) FROM message WHERE number < $1 ORDER BY number DESC LIMIT $2"

    /// The status is in the text, for the planner: each has an index, or is what most messages are.
    static func list(of status: MessageStatus) -> String {
        """
        SELECT \(MessageEntry.columns) FROM message WHERE status = '\(status.rawValue)' AND number < $1
        ORDER BY number DESC LIMIT $2
        """
    }

    static let one = "SELECT \(MessageEntry.columns) FROM message WHERE id = $1"

    static let counts = """
        SELECT (SELECT count(*) FROM message WHERE status = 'prepared'),
               (SELECT count(*) FROM message WHERE status IN ('confirmed', 'sent') AND status = 'confirmed'),
               (SELECT count(*) FROM message WHERE status IN ('confirmed', 'sent') AND status = 'sent'),
               (SELECT count(*) FROM message WHERE status = 'parked')
        """

    static let makeDue = """
        WITH held AS (
            SELECT number FROM message WHERE id = ANY ($1::text[]) AND archive_time IS NULL ORDER BY id FOR UPDATE)
        UPDATE message SET
            status = CASE WHEN status <> 'parked' THEN status WHEN is_confirmed THEN 'confirmed' ELSE 'prepared' END,
            checks = CASE WHEN is_confirmed THEN checks ELSE 0 END, sends = 0, due_time = now(), update_time = now()
        WHERE number = ANY (ARRAY(SELECT number FROM held))
        """
}
