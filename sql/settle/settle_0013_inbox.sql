-- The receiver's memory: which tasks were decided here, and how. For receivers that keep none of their own.
CREATE SCHEMA IF NOT EXISTS settle;

CREATE TABLE settle.inbox (
    queue      text NOT NULL CHECK (queue <> ''),  -- the queue the task came by: tells types of task apart
    key        text NOT NULL CHECK (length(key) BETWEEN 1 AND 512),  -- what two copies have in common
    content    bytea NOT NULL,                     -- SHA-256 of the body: another task with the same key is no copy
    rejected   text,                               -- why it will never be done; null: it was done
    answer     text,                               -- what was said when it was done, as JSON
    decided_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (queue, key)
) WITH (fillfactor = 90);
