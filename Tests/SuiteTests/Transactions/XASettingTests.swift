import SettlePostgres
import SettleTestSupport
import Testing

extension Proof {
    @Suite("Global transactions: a server without prepared transactions", .timeLimit(.minutes(3)))
    struct XASettingTests {
        private func set(_ suite: Suite, _ value: String) async throws {
            try await suite.surroundings.asSuperuser { admin in
                _ = try await admin.query("ALTER SYSTEM SET max_prepared_transactions = \(value)")
            }
            try await Servers.restart(.postgres)
            for role in Role.allCases { try await suite.awaitReady(role) }
        }

        private func place(_ suite: Suite, _ mode: OrderDraft.Mode) async throws -> HTTPAnswer {
            var draft = OrderDraft("alice", ["tea": 1])
            draft.spendPoints = 1
            draft.mode = mode
            return try await suite.place(draft).outcome.get()
        }

        @Test("max_prepared_transactions = 0: mode xa alone is refused, at the start, in readiness and in the 503")
        func refused() async throws {
            try await Suite.withTransactions { suite in
                do {
                    try await set(suite, "0")
                    for role in [Role.stock, .userPoints] {
                        try await suite.stop(try suite.process(role))
                        try await suite.restart(role)
                        #expect(try await suite.readiness(role)?.checks["xa"] == "down")
                        try await eventually("\(role.rawValue) says at its start why") {
                            try suite.process(role).logTail.contains("max_prepared_transactions = 0")
                        }
                    }
                    for mode in [OrderDraft.Mode.all("xa"), .mixed(stock: "at", points: "xa")] {
                        let answer = try await place(suite, mode)
                        #expect(answer.status == 503)
                        #expect(answer.text.contains("/xa-unavailable\""))
                        #expect(answer.text.contains("max_prepared_transactions"), "\(answer.text)")
                        #expect(answer.headers["retry-after"] != nil)
                    }
                    for mode in [OrderDraft.Mode.all("at"), .all("tcc"), .all("saga")] {
                        #expect(try await place(suite, mode).status == 201, "\(mode.name)")
                    }
                } catch {
                    try await set(suite, "DEFAULT")
                    throw error
                }
                // Mended, it works without a restart of the services.
                try await set(suite, "DEFAULT")
                #expect(try await suite.readiness(.stock)?.checks["xa"] == "up")
                #expect(try await place(suite, .all("xa")).status == 201)
                try await suite.awaitEnded()
                try await suite.awaitSettled()
                #expect(try await suite.available("tea") == Seed.available - 4)
            }
        }
    }
}
