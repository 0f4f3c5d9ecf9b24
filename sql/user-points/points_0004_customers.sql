-- Whose token opens what belongs to a user, where customers are told apart (SETTLE_CUSTOMERS=on; docs/security.md). A user
-- without a row has no token yet. The token itself is kept nowhere, only its SHA-256: who reads this table can do nothing
-- with it.
CREATE TABLE customer (
    user_name  text PRIMARY KEY REFERENCES user_points (user_name),
    token_hash bytea NOT NULL CHECK (length(token_hash) = 32),
    made_at    timestamptz NOT NULL DEFAULT now()
);
