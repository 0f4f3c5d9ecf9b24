import SettlePostgres
import SettleTestSupport
import Testing

extension Proof {
    /// The table "what a reader sees" of docs/transactions.md.
    @Suite("Global transactions: what a reader sees", .timeLimit(.minutes(1)))
    struct ReaderTests {
        struct Seen: Equatable {
            let available: Int
            let reserved: Int

            init(_ available: Int, reserved: Int = 0) {
                self.available = available
                self.reserved = reserved
            }
        }

        private func select(_ suite: Suite, _ from: String) async throws -> Seen {
            let rows = try await suite.rows(
                .stock, "SELECT available, reserved FROM \(from) WHERE sku = 'tea'")
            let row = try #require(rows.first)
            return Seen(try row.decode(Int.self, at: 0), reserved: try row.decode(Int.self, at: 1))
        }

        /// What `GET /products/tea` and a plain SELECT show while five are taken and nothing is decided.
        private func undecided(_ mode: String) -> Seen {
            switch mode {
            case "tcc": Seen(Seed.available - 5, reserved: 5)
            case "xa": Seen(Seed.available)
            default: Seen(Seed.available - 5)
            }
        }

        @Test("before, during and after an undecided transaction, in each mode", arguments: OrderDraft.Mode.names)
        func reads(mode: String) async throws {
            struct Product: Decodable {
                let available: Int
                let reserved: Int
            }
            try await Suite.withTransactions(settings: ["TRANSACTION_CHECK_AFTER": "60s"]) { suite in
                for (decision, after) in [("rollback", Seed.available), ("commit", Seed.available - 5)] {
                    #expect(try await suite.deduct(5, mode: mode, xid: "read-\(decision)").status == 200)
                    let product: Product = try #require(try await suite.get(suite.port(.stock), "/products/tea"))
                        .decode()
                    #expect(Seen(product.available, reserved: product.reserved) == undecided(mode))
                    #expect(try await select(suite, "product") == undecided(mode))
                    if mode == "at" {
                        // As if nothing undecided had happened, and without waiting for it.
                        #expect(try await select(suite, "settle.as_committed(NULL::product)") == Seen(Seed.available))
                        #expect(try await select(suite, "settle.as_committed_product()") == Seen(Seed.available))
                    }
                    try await suite.end("read-\(decision)", decision)
                    #expect(try await select(suite, "product") == Seen(after))
                    if mode == "at" {
                        #expect(try await select(suite, "settle.as_committed_product()") == Seen(after))
                    }
                }
            }
        }
    }
}
