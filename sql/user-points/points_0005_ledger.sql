-- The ledger, for as long as there is an order: with `point_log` and `point_refund` all that made `points` and `reserved` what
-- they are. Each row is written by the transaction that does what it says, so the ledger costs no commit and is never behind.
-- Nothing here is ever changed or purged; docs/database.md tells the sums.

-- What orders spent under global transactions: in `xa` and `saga` when it is spent, in `tcc` when it is confirmed.
CREATE TABLE point_spent (
    order_id   text NOT NULL CHECK (length(order_id) BETWEEN 1 AND 255),
    id         bigint GENERATED ALWAYS AS IDENTITY,  -- an order may spend more than once, by more than one branch
    user_name  text NOT NULL,
    point      bigint NOT NULL,  -- negative: a compensation gave it back
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (order_id, id)
);

-- The same in mode `at`, where a rollback takes the row out again. A table of its own, for the guard of an enrolled one would
-- cost the other modes as much as their rows.
CREATE TABLE point_spent_at (
    order_id   text NOT NULL CHECK (length(order_id) BETWEEN 1 AND 255),
    id         bigint GENERATED ALWAYS AS IDENTITY,
    user_name  text NOT NULL,
    point      bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (order_id, id)
);
SELECT settle.enroll('point_spent_at');

-- What came without an order.
CREATE TABLE points_change (
    user_name  text NOT NULL,
    id         bigint GENERATED ALWAYS AS IDENTITY,
    points     bigint NOT NULL,
    why        text NOT NULL CHECK (why IN ('opening', 'put')),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_name, id)
);

-- What was before there was a ledger. From here on nobody spends anything until it is there, and what is prepared has ended:
-- nobody could see what it spent.
LOCK TABLE settle.branch, user_points IN SHARE ROW EXCLUSIVE MODE;

CREATE TEMP TABLE branch_before ON COMMIT DROP AS
    SELECT xid, mode, state, request::jsonb ->> 'orderId' AS order_id, request::jsonb ->> 'userName' AS user_name,
           (request::jsonb ->> 'point')::numeric::bigint AS point
    FROM settle.branch WHERE action = 'spend' AND state IN ('undecided', 'committed');

-- Those that are remembered: what a compensation will give back must have been spent.
INSERT INTO point_spent (order_id, user_name, point)
SELECT order_id, user_name, point FROM branch_before WHERE state = 'committed' OR mode = 'saga' ORDER BY xid;

-- Under their own XIDs, so that a rollback takes them out with the rest.
DO $$
DECLARE
    undecided record;
BEGIN
    FOR undecided IN SELECT * FROM branch_before WHERE state = 'undecided' AND mode = 'at' ORDER BY xid LOOP
        PERFORM set_config('settle.xid', undecided.xid, true);
        INSERT INTO point_spent_at (order_id, user_name, point)
        VALUES (undecided.order_id, undecided.user_name, undecided.point);
    END LOOP;
    PERFORM set_config('settle.xid', '', true);
END
$$;

INSERT INTO points_change (user_name, points, why)
SELECT u.user_name, u.points + coalesce(spent.point, 0) - coalesce(earned.point, 0), 'opening'
FROM user_points u
LEFT JOIN (SELECT user_id, sum(point) AS point FROM point_log GROUP BY user_id) earned ON earned.user_id = u.user_id
LEFT JOIN (
    SELECT user_name, sum(point) AS point
    FROM (SELECT user_name, point FROM point_spent
          UNION ALL SELECT user_name, point FROM point_spent_at
          UNION ALL SELECT user_name, -point FROM point_refund
          UNION ALL SELECT user_name, point FROM branch_before WHERE state = 'undecided' AND mode = 'tcc') line
    GROUP BY user_name
) spent ON spent.user_name = u.user_name;
