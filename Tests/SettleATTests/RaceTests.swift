import SettlePostgres
import Testing

/// Transactions that want the same rows at the same time.
@Suite(.enabled(if: ATDatabase.isAvailable))
struct RaceTests {
    /// Two sessions on a row that nobody has held yet: PostgreSQL's lock lets one write, and once it has committed the
    /// other meets the lock of its transaction.
    @Test(
        arguments: [
            "UPDATE product SET available = available - 1 WHERE sku = 'tea'", "DELETE FROM product WHERE sku = 'tea'",
            "UPDATE product SET sku = 'tea2' WHERE sku = 'tea'",
        ], ["", "y"])
    func theSecondOfTwoOnAFreeRowIsRefused(statement: String, second: String) async throws {
        try await ATDatabase.with(RestoreTests.stock) { database in
            let outcome = Shared<String?>(nil)
            let other = Shared<Task<Void, any Error>?>(nil)
            try await database.owner.transaction { transaction in
                transaction.add("SELECT set_config('settle.xid', 'x', true)")
                _ = try transaction.query(statement)
                other.set(
                    Task {
                        let state = try await refusal {
                            try await database.at(second, "UPDATE product SET available = 0 WHERE sku = 'tea'")
                        }
                        outcome.set(state)
                    })
                try blocking { try await database.untilOneWaits() }
                #expect(outcome.value == nil)
            }
            try await other.value?.value
            // A row that is gone is not changed by anybody, and that is no refusal.
            let expected = statement.hasPrefix("UPDATE product SET available") ? "ST001" : "not refused"
            #expect(outcome.value == expected)
            #expect(try await database.rollback("x") == "rolledBack []")
            #expect(try await database.rows(of: "product") == ["(cup,Cup,10)", "(pot,Pot,30)", "(tea,Tea,20)"])
        }
    }

    @Test(arguments: ["", "y"])
    func aKeyThatIsBeingDeletedIsNotTakenOver(second: String) async throws {
        try await ATDatabase.with(RestoreTests.stock) { database in
            let other = Shared<Task<String, any Error>?>(nil)
            try await database.owner.transaction { transaction in
                transaction.add("SELECT set_config('settle.xid', 'x', true)")
                _ = try transaction.query("DELETE FROM product WHERE sku = 'tea'")
                other.set(
                    Task {
                        try await refusal {
                            try await database.at(second, "INSERT INTO product VALUES ('tea', 'Mine', 1)")
                        }
                    })
                try blocking { try await database.untilOneWaits() }
            }
            #expect(try await other.value?.value == "ST001")
            #expect(try await database.rollback("x") == "rolledBack []")
            #expect(try await database.text("SELECT available::text FROM product WHERE sku = 'tea'") == "20")
        }
    }

    /// The writer is told "locked, try again" when its lock timeout is over, and nothing of it stays.
    @Test func aWaitingWriterGivesUpAtItsLockTimeout() async throws {
        try await ATDatabase.with(RestoreTests.stock) { database in
            try await database.owner.transaction { transaction in
                transaction.add("SELECT set_config('settle.xid', 'x', true)")
                _ = try transaction.query("UPDATE product SET available = 1 WHERE sku = 'tea'")
                try blocking {
                    let state = try await refusal {
                        try await database.at("y", "SET LOCAL lock_timeout = 50", "UPDATE product SET available = 2")
                    }
                    #expect(state == "55P03")
                }
            }
            #expect(
                try await database.text("SELECT count(DISTINCT xid) || ' ' || min(xid) FROM settle.undo_log") == "1 x")
        }
    }

    /// Ten connections, one row, half of the transactions rolled back: none is lost, and nobody waits for ever.
    @Test func tenFightingForOneRow() async throws {
        try await ATDatabase.with(
            "CREATE TABLE hot (id int PRIMARY KEY, n int); INSERT INTO hot VALUES (1, 0); SELECT settle.enroll('hot');"
        ) {
            database in
            let committed = Shared(0)
            try await withThrowingTaskGroup { group in
                for writer in 0..<10 {
                    group.addTask {
                        for round in 0..<10 {
                            let xid = "\(writer)-\(round)"
                            try await untilFree { try await database.at(xid, "UPDATE hot SET n = n + 1") }
                            if (writer + round).isMultiple(of: 2) {
                                try await database.commit(xid)
                                committed.update { $0 += 1 }
                            } else {
                                #expect(try await database.rollback(xid) == "rolledBack []")
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(committed.value == 50)
            #expect(try await database.rows(of: "hot") == ["(1,50)"])
            #expect(try await database.isClean())
        }
    }

    /// Plain writers and transactions on few rows, each writer several rows, always in the same order; what the plain
    /// ones and the committed ones added is there, to the last one.
    @Test func plainWritersAndTransactionsMixed() async throws {
        let tables = """
            CREATE TABLE hot (id int PRIMARY KEY, n int);
            INSERT INTO hot SELECT i, 0 FROM generate_series(1, 4) AS i;
            SELECT settle.enroll('hot');
            """
        try await ATDatabase.with(tables) { database in
            let added = Shared(0)
            try await withThrowingTaskGroup { group in
                for writer in 0..<10 {
                    group.addTask {
                        for round in 0..<10 {
                            let (xid, first) = ("\(writer)-\(round)", 1 + (writer + round) % 3)
                            let update = "UPDATE hot SET n = n + 1 WHERE id = "
                            let isPlain = writer.isMultiple(of: 3)
                            try await untilFree {
                                try await database.at(isPlain ? "" : xid, update + "\(first)", update + "\(first + 1)")
                            }
                            if isPlain || round.isMultiple(of: 2) {
                                try await database.commit(xid)
                                added.update { $0 += 2 }
                            } else {
                                #expect(try await database.rollback(xid) == "rolledBack []")
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await database.text("SELECT sum(n)::text FROM hot") == "\(added.value)")
            #expect(try await database.isClean())
        }
    }

    @Test func aRollbackThatIsAskedForTwiceAtOnceIsDoneOnce() async throws {
        try await ATDatabase.with(RestoreTests.stock) { database in
            for round in 1...5 {
                try await database.at("x\(round)", "UPDATE product SET available = available + 1")
                try await withThrowingTaskGroup { group in
                    for _ in 1...5 {
                        group.addTask {
                            let outcome = try await database.rollback("x\(round)")
                            #expect(outcome == "rolledBack []")
                        }
                    }
                    try await group.waitForAll()
                }
            }
            #expect(try await database.rows(of: "product") == ["(cup,Cup,10)", "(pot,Pot,30)", "(tea,Tea,20)"])
        }
    }

    /// A reader never sees a transaction half: neither a row of it nor, once it is decided, only some rows.
    @Test func readersSeeATransactionWhollyOrNotAtAll() async throws {
        let tables = """
            CREATE TABLE account (id int PRIMARY KEY, n int);
            INSERT INTO account VALUES (1, 100), (2, 100);
            SELECT settle.enroll('account');
            """
        try await ATDatabase.with(tables) { database in
            let isOver = Shared(false)
            try await withThrowingTaskGroup { group in
                group.addTask {
                    for round in 1...60 {
                        try await database.at("x", "UPDATE account SET n = n - 1 WHERE id = 1")
                        try await database.at("x", "UPDATE account SET n = n + 1 WHERE id = 2")
                        if round.isMultiple(of: 2) {
                            try await database.commit("x")
                        } else {
                            try await database.rollback("x")
                        }
                    }
                    isOver.set(true)
                }
                for reader in ["as_committed(NULL::account)", "as_committed_account()"] {
                    group.addTask {
                        while !isOver.value {
                            let sum = try await database.text("SELECT sum(n)::text FROM settle.\(reader)")
                            #expect(sum == "200")
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }
}

extension ATDatabase {
    /// Returns once a session of this database waits for a lock.
    fileprivate func untilOneWaits() async throws {
        let deadline = ContinuousClock.now + .seconds(10)
        while ContinuousClock.now < deadline {
            let rows = try await superuser.query(
                "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
            if !rows.isEmpty { return }
        }
        Issue.record("nobody came to wait")
    }
}

/// What a participant does: again, a little later, while the row is held.
private func untilFree(_ body: () async throws -> Void) async throws {
    let deadline = ContinuousClock.now + .seconds(60)
    while true {
        do { return try await body() } catch let error as PostgresError where error.sqlState == "ST001" {
            guard ContinuousClock.now < deadline else { throw error }
            try await Task.sleep(for: .microseconds(.random(in: 100...3000)))
        }
    }
}
