CREATE TABLE user_points (
    user_id   bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    user_name text PRIMARY KEY CHECK (length(user_name) BETWEEN 1 AND 64),
    points    bigint NOT NULL CHECK (points >= 0)
) WITH (fillfactor = 50);  -- a busy user's balance is updated often: keep those updates HOT

-- The points that each order earned. The primary key is what makes a task apply once: Redis and the broker may
-- forget, this does not.
CREATE TABLE point_log (
    order_id   text PRIMARY KEY CHECK (length(order_id) BETWEEN 1 AND 255),
    user_id    bigint NOT NULL REFERENCES user_points (user_id),
    point      bigint NOT NULL CHECK (point >= 0),
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX point_log_user ON point_log (user_id, created_at DESC);

-- Orders whose points were refused, so that a late copy of the task cannot succeed after the order was cancelled,
-- not even when the user has been created meanwhile. Refusing and creating a user exclude each other by an advisory
-- lock on the user's name: see Services/UserPoints.
CREATE TABLE point_refusal (
    order_id   text PRIMARY KEY CHECK (length(order_id) BETWEEN 1 AND 255),
    user_name  text NOT NULL,
    point      bigint NOT NULL,
    reason     text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
