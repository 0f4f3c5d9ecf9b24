import SettlePostgres
import Testing

/// What another role can do with the functions that run as the owner: nothing but what its own rights on the tables allow.
@Suite(.enabled(if: ATDatabase.isAvailable))
struct PrivilegeTests {
    /// A clerk may write the table and read the log, as a reader of `as_committed` may.
    private static let tables = """
        CREATE TABLE account (id int PRIMARY KEY, balance int, email text UNIQUE);
        INSERT INTO account VALUES (1, 1, 'a');
        SELECT settle.enroll('account');
        GRANT SELECT, INSERT, UPDATE, DELETE ON account TO PUBLIC;
        GRANT USAGE ON SCHEMA settle TO PUBLIC; GRANT SELECT ON settle.undo_log TO PUBLIC;
        GRANT CREATE ON SCHEMA public TO PUBLIC;
        """

    @Test func nobodyElsePutsATriggerFunctionOnATableOfHisOwn() async throws {
        try await ATDatabase.with(Self.tables) { database in
            try await database.with(role: "settle_at_forger") { forger in
                _ = try await forger.query("CREATE TABLE fake (id int PRIMARY KEY, balance int, email text)")
                for function in ["insert", "update", "delete", "rekey"] {
                    let attached = try await refusal {
                        _ = try await forger.query(
                            """
                            CREATE TRIGGER t AFTER INSERT OR UPDATE OR DELETE ON fake
                            FOR EACH ROW EXECUTE FUNCTION settle.at_\(function)_1()
                            """)
                    }
                    #expect(attached == "42501", "\(function)")
                }
            }
        }
    }

    /// Should it be attached nevertheless, by the owner's mistake: it notes nothing of another table.
    @Test(arguments: [
        "INSERT INTO fake VALUES (2)", "UPDATE fake SET balance = 0", "UPDATE fake SET id = 5", "DELETE FROM fake",
    ])
    func aTriggerFunctionNotesRowsOfItsOwnTableOnly(statement: String) async throws {
        let fake = """
            CREATE TABLE fake (LIKE account); INSERT INTO fake VALUES (1, 1000000, 'a');
            CREATE TRIGGER i AFTER INSERT ON fake FOR EACH ROW EXECUTE FUNCTION settle.at_insert_1();
            CREATE TRIGGER u AFTER UPDATE ON fake FOR EACH ROW EXECUTE FUNCTION settle.at_update_1();
            CREATE TRIGGER d AFTER DELETE ON fake FOR EACH ROW EXECUTE FUNCTION settle.at_delete_1();
            """
        try await ATDatabase.with(Self.tables + fake) { database async throws in
            #expect(try await refusal { try await database.at("x", statement) } == "42501")
            #expect(try await database.isClean())
        }
    }

    /// A setting is anybody's, so it alone opens nothing: not the guard, not the table's own triggers, for the owner neither.
    @Test func theMarkOfARollbackIsNoSetting() async throws {
        let trigger = """
            CREATE FUNCTION limit_balance() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF NOT settle.is_restoring() THEN NEW.balance := least(NEW.balance, 100); END IF;
                RETURN NEW;
            END $$;
            CREATE TRIGGER limit_balance BEFORE INSERT OR UPDATE ON account FOR EACH ROW EXECUTE FUNCTION limit_balance();
            CREATE FUNCTION lower_email() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN NEW.email := lower(NEW.email); RETURN NEW; END $$;
            CREATE TRIGGER lower_email BEFORE INSERT OR UPDATE ON account FOR EACH ROW EXECUTE FUNCTION lower_email();
            SELECT settle.enroll('account');
            """
        try await ATDatabase.with(Self.tables + trigger) { database in
            try await database.at("x", "UPDATE account SET balance = 5")
            let forge: @Sendable (PostgresDatabase, String) async throws -> String = { client, statement in
                try await refusal {
                    try await client.transaction { transaction in
                        transaction.add("SELECT set_config('settle.xid', 'restore:x', true)")
                        transaction.add(statement)
                    }
                }
            }
            try await database.with(role: "settle_at_forger") { forger in
                for client in [forger, database.owner] {
                    for statement in [
                        "UPDATE account SET balance = 7", "DELETE FROM account", "UPDATE account SET id = 8",
                        "INSERT INTO account VALUES (2, 1000000, 'FORGED')",
                    ] {
                        #expect(try await forge(client, statement) == "42501", "\(statement)")
                    }
                    let claims = try await client.transaction { transaction in
                        transaction.add("SELECT set_config('settle.xid', 'restore:x', true)")
                        return try transaction.query("SELECT settle.is_restoring()")
                    }
                    #expect(try claims.first?.decode(Bool.self, at: 0) == false)
                }
                #expect(
                    try await refusal {
                        _ = try await forger.query("INSERT INTO settle.restoring VALUES (pg_current_xact_id(), 'x')")
                    } == "42501")
                for call in [
                    "exempt('account')", "at_obstacles()", "at_written()", "at_exchange(1, 'x', '{1}', '{2}')",
                ] {
                    #expect(
                        try await refusal { _ = try await forger.query("SELECT settle.\(call)") } == "42501", "\(call)")
                }
            }
            #expect(try await database.rows(of: "account") == ["(1,5,a)"])
            #expect(try await database.rollback("x") == "rolledBack []")
            #expect(try await database.rows(of: "account") == ["(1,1,a)"])
            #expect(try await database.isClean())
        }
    }
}
