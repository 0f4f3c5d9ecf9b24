-- Flash products: their stock is counted in Redis, and what is taken there under global transactions in mode `mt` comes into
-- `available` as those commit. docs/flash.md tells the story.
ALTER TABLE product ADD flash boolean NOT NULL DEFAULT false;
SELECT settle.enroll('product');

-- Which count in Redis is meant: the one with this number, at this server process. A row of its own, as there is one count.
CREATE TABLE flash_epoch (
    is_only      boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    epoch        bigint NOT NULL DEFAULT 0,
    run_id       text NOT NULL DEFAULT '',  -- of the Redis process, as INFO has it
    begun_at     timestamptz NOT NULL DEFAULT now(),
    closed_by    text,                      -- who changes a product: no epoch begins meanwhile
    closed_until timestamptz                -- should that one die
);
INSERT INTO flash_epoch DEFAULT VALUES;

-- What came back to `available` and is to be added in Redis, once each. A new epoch counts it in, and deletes it.
CREATE TABLE flash_given (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sku      text NOT NULL,
    quantity bigint NOT NULL CHECK (quantity > 0)
);
