-- Lines that people added to a service's ledger to put it right, each after a finding of the reconciliation. What the
-- service itself has written is never changed: the difference is added, with the reason.
CREATE SCHEMA IF NOT EXISTS settle;

CREATE TABLE settle.ledger_adjustment (
    id         uuid NOT NULL,                     -- made by whoever asked: the same adjustment is made once
    key        text NOT NULL CHECK (key <> ''),   -- the business key, an order's id for instance
    account    text NOT NULL,
    kind       text NOT NULL,
    amount     bigint NOT NULL CHECK (amount <> 0),
    reason     text NOT NULL CHECK (reason <> ''),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (key, account, kind, id)          -- ranges of keys go by it
);

-- Since when the ledger holds everything: what is older may have happened before there was one.
CREATE TABLE settle.ledger_start (
    started_at timestamptz PRIMARY KEY
);
INSERT INTO settle.ledger_start VALUES (now());
