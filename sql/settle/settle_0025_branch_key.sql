-- From here on a transaction may have more than one branch. In a set of its own, which is applied after the application's:
-- those of its migrations that were written before may rely on the old key.
ALTER TABLE settle.branch DROP CONSTRAINT branch_pkey, ADD CONSTRAINT branch_pkey PRIMARY KEY (xid, branch_id);
