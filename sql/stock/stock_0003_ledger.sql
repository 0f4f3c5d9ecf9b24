-- The ledger, for as long as there is an order: with `stock_log`, which has what tasks took and gave back, all that made
-- `available` and `reserved` what they are. Each row is written by the transaction that does what it says, so the ledger
-- costs no commit and is never behind. Nothing here is ever changed or purged; docs/database.md tells the sums.

-- What orders took under global transactions: in `xa` and `saga` when it is taken, in `tcc` when it is confirmed.
CREATE TABLE stock_taken (
    order_id   text NOT NULL CHECK (length(order_id) BETWEEN 1 AND 255),
    id         bigint GENERATED ALWAYS AS IDENTITY,  -- an order may take more than once, by more than one branch
    sign       smallint NOT NULL CHECK (sign IN (1, -1)),  -- -1: a compensation gave it back
    items      jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (order_id, id)
);

-- The same in mode `at`, where a rollback takes the row out again. A table of its own, for the guard of an enrolled one would
-- cost the other modes as much as their rows.
CREATE TABLE stock_taken_at (
    order_id   text NOT NULL CHECK (length(order_id) BETWEEN 1 AND 255),
    id         bigint GENERATED ALWAYS AS IDENTITY,
    items      jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (order_id, id)
);
SELECT settle.enroll('stock_taken_at');

-- What came and went without an order.
CREATE TABLE product_change (
    sku        text NOT NULL,
    id         bigint GENERATED ALWAYS AS IDENTITY,
    available  bigint NOT NULL,  -- how many more; negative: fewer
    why        text NOT NULL CHECK (why IN ('opening', 'put')),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (sku, id)
);

-- What was before there was a ledger. From here on nobody takes anything until it is there, and what is prepared has ended:
-- nobody could see what it took.
LOCK TABLE settle.branch, product IN SHARE ROW EXCLUSIVE MODE;

CREATE TEMP TABLE branch_before ON COMMIT DROP AS
    SELECT b.xid, b.mode, b.state, b.request::jsonb ->> 'orderId' AS order_id,
           jsonb_agg(jsonb_build_object('sku', x.sku, 'quantity', x.quantity::bigint) ORDER BY x.sku COLLATE "C") AS items
    FROM settle.branch b, jsonb_to_recordset(b.request::jsonb -> 'items') AS x (sku text, quantity numeric)
    WHERE b.action = 'deduct' AND b.state IN ('undecided', 'committed')
    GROUP BY b.xid;

-- Those that are remembered: what a compensation will give back must have been taken.
INSERT INTO stock_taken (order_id, sign, items)
SELECT order_id, 1, items FROM branch_before WHERE state = 'committed' OR mode = 'saga' ORDER BY xid;

-- Under their own XIDs, so that a rollback takes them out with the rest.
DO $$
DECLARE
    undecided record;
BEGIN
    FOR undecided IN SELECT * FROM branch_before WHERE state = 'undecided' AND mode = 'at' ORDER BY xid LOOP
        PERFORM set_config('settle.xid', undecided.xid, true);
        INSERT INTO stock_taken_at (order_id, items) VALUES (undecided.order_id, undecided.items);
    END LOOP;
    PERFORM set_config('settle.xid', '', true);
END
$$;

INSERT INTO product_change (sku, available, why)
SELECT p.sku, p.available + coalesce(taken.quantity, 0), 'opening'
FROM product p LEFT JOIN (
    SELECT x.sku, sum(line.sign * x.quantity) AS quantity
    FROM (SELECT CASE action WHEN 'deduct' THEN 1 ELSE -1 END, items FROM stock_log WHERE rejected IS NULL
          UNION ALL SELECT sign, items FROM stock_taken
          UNION ALL SELECT 1, items FROM stock_taken_at
          UNION ALL SELECT 1, items FROM branch_before WHERE state = 'undecided' AND mode = 'tcc') AS line (sign, items),
         jsonb_to_recordset(line.items) AS x (sku text, quantity bigint)
    GROUP BY x.sku
) taken ON taken.sku = p.sku;
