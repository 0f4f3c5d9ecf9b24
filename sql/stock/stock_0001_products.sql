CREATE TABLE product (
    sku        text PRIMARY KEY CHECK (length(sku) BETWEEN 1 AND 64),
    title      text NOT NULL CHECK (length(title) BETWEEN 1 AND 200),
    unit_price bigint NOT NULL CHECK (unit_price BETWEEN 0 AND 1000000000),
    available  bigint NOT NULL CHECK (available >= 0),  -- the last word against selling what is not there
    reserved   bigint NOT NULL DEFAULT 0 CHECK (reserved >= 0)
) WITH (fillfactor = 50);  -- a popular product is updated thousands of times a second: keep those updates HOT

-- What each order did to the stock. The primary key is what makes a task apply once: Redis and the broker may
-- forget, this does not. A rejection is remembered too, so that a late copy of the task cannot succeed after the
-- order was cancelled.
CREATE TABLE stock_log (
    order_id   text NOT NULL CHECK (length(order_id) BETWEEN 1 AND 255),
    action     text NOT NULL CHECK (action IN ('deduct', 'restock')),
    items      jsonb NOT NULL,
    rejected   text,           -- why nothing was taken; null when it was
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (order_id, action)
);
