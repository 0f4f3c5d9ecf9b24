CREATE TABLE orders (
    id              uuid PRIMARY KEY,   -- UUIDv7: made by the service, and in order of time
    user_name       text NOT NULL CHECK (length(user_name) BETWEEN 1 AND 64),
    total           bigint NOT NULL CHECK (total >= 0),
    spend_points    bigint NOT NULL CHECK (spend_points BETWEEN 0 AND total),
    pay_money       bigint NOT NULL CHECK (pay_money = total - spend_points),
    point           bigint NOT NULL CHECK (point = pay_money),
    status          text NOT NULL DEFAULT 'placed' CHECK (status IN ('placed', 'settled', 'cancelling', 'cancelled')),
    mode            text NOT NULL,
    xid             text,
    reason          text,               -- why it was cancelled
    idempotency_key text CHECK (length(idempotency_key) BETWEEN 1 AND 255),
    request_hash    bytea,              -- of the request that the key came with
    created_at      timestamptz NOT NULL DEFAULT now(),
    CHECK ((idempotency_key IS NULL) = (request_hash IS NULL)),
    CHECK (status NOT IN ('cancelling', 'cancelled') OR reason IS NOT NULL)
) WITH (fillfactor = 85);               -- room on the page: the one update of a row's life (its status) stays HOT

-- No index holds `status`, so that settling an order writes no index at all.
CREATE UNIQUE INDEX orders_idempotency_key ON orders (idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX orders_user_name ON orders (user_name, id);

-- Written by the statement that writes the order, and never again: a foreign key would check what cannot be otherwise.
CREATE TABLE order_item (
    order_id   uuid NOT NULL,
    sku        text NOT NULL,
    quantity   bigint NOT NULL CHECK (quantity BETWEEN 1 AND 1000000),
    unit_price bigint NOT NULL CHECK (unit_price >= 0),
    PRIMARY KEY (order_id, sku)
);
