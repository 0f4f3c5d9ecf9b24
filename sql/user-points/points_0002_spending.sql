-- Points that a global transaction in mode `tcc` has set aside and not spent yet.
ALTER TABLE user_points ADD reserved bigint NOT NULL DEFAULT 0 CHECK (reserved >= 0);

-- Mode `at`: what plain SQL does to balances under a global transaction can be undone.
SELECT settle.enroll('user_points');

-- Points given back for orders that were cancelled after they were spent; once for each order.
CREATE TABLE point_refund (
    order_id   text PRIMARY KEY CHECK (length(order_id) BETWEEN 1 AND 255),
    user_name  text NOT NULL REFERENCES user_points (user_name),
    point      bigint NOT NULL CHECK (point >= 0),
    created_at timestamptz NOT NULL DEFAULT now()
);
