import Foundation
import SettlePostgres
import SettleTestSupport
import Testing

extension Proof {
    @Suite("Customers", .timeLimit(.minutes(4)))
    struct CustomerTests {
        private static let on = ["SETTLE_CUSTOMERS": "on"]

        /// What a customer sends. `as`: whose token; nil is none.
        private struct Shop {
            let suite: Suite
            var tokens: [String: String] = [:]

            func headers(_ name: String?) throws -> [String: String] {
                guard let name else { return [:] }
                return ["Authorization": "Bearer \(try #require(tokens[name]))"]
            }

            func get(_ role: Role, _ path: String, as name: String?) async throws -> HTTPAnswer {
                try await suite.send("GET", role, path, headers: try headers(name))
            }

            func order(
                for userName: String, as name: String?, key: String? = nil, spending: Int = 0
            ) async throws -> HTTPAnswer {
                var draft = OrderDraft(userName, ["tea": 1])
                draft.mode = .all("tcc")
                draft.spendPoints = spending
                var headers = try headers(name)
                headers["Idempotency-Key"] = key
                return try await suite.send(
                    "POST", .order, "/orders", json: String(decoding: try draft.json, as: UTF8.self), headers: headers)
            }

            /// Creates or changes a user as an operator; the token is nil when none was answered.
            mutating func put(_ name: String, _ json: String) async throws -> (answer: HTTPAnswer, token: String?) {
                struct Made: Decodable {
                    let token: String?
                }
                let answer = try await suite.send("PUT", .userPoints, "/users/\(name)", json: json, authorized: true)
                try #require([200, 201].contains(answer.status), "\(answer.text)")
                let token = try answer.decode(Made.self).token
                if let token { tokens[name] = token }
                return (answer, token)
            }

            /// Replaces the tokens that the seed's users were given, and that nobody kept.
            mutating func renewAll() async throws {
                for name in Seed.users {
                    let (answer, token) = try await put(name, #"{"points":5,"newToken":true}"#)
                    #expect(answer.status == 200)
                    try #require(token != nil)
                }
            }
        }

        private struct Placed: Decodable {
            let id: String
        }

        /// All that a refusal says, so that two can be compared.
        private struct Refusal: Decodable, Equatable {
            let type: String
            let title: String
            let status: Int
            let detail: String
        }

        @Test("on: only who has a user's token orders for that user, and reads that user; operators may all")
        func toldApart() async throws {
            try await Suite.with(settings: Self.on) { suite in
                var shop = Shop(suite: suite)
                try await shop.renewAll()
                shop.tokens["stranger"] = String(repeating: "A", count: 43)
                try await expectOrders(shop)
                try await expectReads(shop)
                // Products are everybody's.
                #expect(try await shop.get(.stock, "/products/tea", as: nil).status == 200)
                try await suite.awaitSettled()
            }
        }

        private func expectOrders(_ shop: Shop) async throws {
            let none = try await shop.order(for: "alice", as: nil)
            #expect(none.status == 401)
            #expect(none.headers["www-authenticate"] == "Bearer")
            let others = try await shop.order(for: "alice", as: "bob", spending: 10)
            #expect(others.status == 403, "\(others.text)")
            // Nobody learns whether there is such a user.
            let unknown = try await shop.order(for: "nobody", as: "bob")
            let refusal = try others.decode(Refusal.self)
            #expect(try unknown.decode(Refusal.self) == refusal)
            #expect(try await shop.order(for: "alice", as: "stranger").decode(Refusal.self) == refusal)
            #expect(try await shop.suite.number(.order, "SELECT count(*) FROM orders") == 0)

            let own = try await shop.order(for: "alice", as: "alice", key: "a", spending: 10)
            #expect(own.status == 201, "\(own.text)")
            let again = try await shop.order(for: "alice", as: "alice", key: "a", spending: 10)
            #expect(again.status == 200)
            #expect(try again.decode(Placed.self).id == own.decode(Placed.self).id)
            for thief in ["bob", "stranger"] {
                let stolen = try await shop.order(for: "alice", as: thief, key: "a", spending: 10)
                #expect(try stolen.decode(Refusal.self) == refusal, "another one's key gets nobody that order")
            }
            #expect(try await shop.order(for: "alice", as: nil, key: "a", spending: 10).status == 401)
            #expect(try await shop.order(for: "bob", as: "bob", key: "a", spending: 10).status == 422)
            // What is wrong with a body is said first, as ever.
            let headers = try shop.headers("bob")
            let wrong = try await shop.suite.send("POST", .order, "/orders", json: "{}", headers: headers)
            #expect(wrong.status == 422)
            #expect(try await shop.suite.number(.order, "SELECT count(*) FROM orders") == 1)
        }

        private func expectReads(_ shop: Shop) async throws {
            let own = try await shop.order(for: "bob", as: "bob")
            let order = "/orders/\(try own.decode(Placed.self).id)"
            #expect(try await shop.get(.order, order, as: "bob").status == 200)
            #expect(try await shop.get(.order, order, as: nil).status == 401)
            let others = try await shop.get(.order, order, as: "alice")
            let unknown = try await shop.get(.order, "/orders/01890a5d-ac96-774b-bcce-b302099a8057", as: "alice")
            #expect(others.status == 404)
            let isAlike = try others.decode(Refusal.self) == unknown.decode(Refusal.self)
            #expect(isAlike, "nobody learns whether there is such an order")
            #expect(try await shop.get(.order, "/orders/none", as: nil).status == 401)

            #expect(try await shop.get(.order, "/orders", as: nil).status == 401)
            #expect(try await shop.get(.order, "/orders", as: "bob").status == 422, "all orders are for operators")
            let paths: [(Role, String)] = [
                (.order, "/orders?userName="), (.userPoints, "/users/"), (.userPoints, "/users/%/point-log"),
            ]
            for (role, path) in paths {
                func of(_ name: String) -> String { path.contains("%") ? path.replacing("%", with: name) : path + name }
                #expect(try await shop.get(role, of("bob"), as: "bob").status == 200)
                #expect(try await shop.get(role, of("bob"), as: nil).status == 401)
                let others = try await shop.get(role, of("bob"), as: "alice")
                #expect(others.status == 403)
                let unknown = try await shop.get(role, of("nobody"), as: "alice")
                #expect(try unknown.decode(Refusal.self) == others.decode(Refusal.self))
                #expect(try await shop.suite.send("GET", role, of("bob"), authorized: true).status == 200)
            }
            #expect(try await shop.suite.send("GET", .order, order, authorized: true).status == 200)
            #expect(try await shop.suite.send("GET", .order, "/orders", authorized: true).status == 200)
            #expect(try await shop.suite.send("GET", .userPoints, "/users/nobody", authorized: true).status == 404)
        }

        @Test("on: a token is told once and kept as a hash; a new one takes its place within the cache's time")
        func tokens() async throws {
            try await Suite.with(settings: ["SETTLE_CUSTOMERS": "on", "LOG_LEVEL": "trace"]) { suite in
                var shop = Shop(suite: suite)
                let (created, first) = try await shop.put("dave", #"{"points":7}"#)
                #expect(created.status == 201)
                #expect(created.headers["cache-control"] == "no-store")
                let token = try #require(first)
                #expect(token.wholeMatch(of: /[A-Za-z0-9_-]{43}/) != nil)
                let (again, none) = try await shop.put("dave", #"{"points":9}"#)
                #expect(none == nil && !again.text.contains("token"), "it has one: \(again.text)")
                #expect(again.text.contains(#""points":7"#), "\(again.text)")
                let kept = try await suite.rows(
                    .userPoints,
                    """
                    SELECT customer::text, token_hash = sha256(convert_to($1, 'UTF8')) FROM customer
                    WHERE user_name = 'dave'
                    """, [.text(token)])
                #expect(try kept[0].decode(Bool.self, at: 1))
                #expect(try !kept[0].decode(String.self, at: 0).contains(token))

                // Of two that come at once one is told the token that counts, and the other none.
                let (erin, body) = ("/users/erin", #"{"points":0}"#)
                async let one = suite.send("PUT", .userPoints, erin, json: body, authorized: true)
                async let other = suite.send("PUT", .userPoints, erin, json: body, authorized: true)
                let told = try await [one, other].filter { $0.text.contains("token") }
                #expect(told.count == 1)

                #expect(try await shop.order(for: "dave", as: "dave").status == 201)
                let (_, second) = try await shop.put("dave", #"{"points":0,"newToken":true}"#)
                let replaced = ContinuousClock.now
                #expect(second != nil && second != token)
                #expect(try await shop.get(.userPoints, "/users/dave", as: "dave").status == 200)
                shop.tokens["dave"] = token
                #expect(try await shop.get(.userPoints, "/users/dave", as: "dave").status == 403, "at once there")
                try await eventually("the old token is refused by order", within: .seconds(60)) {
                    let begun = ContinuousClock.now
                    let isRefused = try await shop.order(for: "dave", as: "dave").status == 403
                    #expect(isRefused || begun - replaced < .seconds(10), "it counts for ten seconds more at most")
                    return isRefused
                }
                try await suite.awaitSettled()
                for role in [Role.order, .userPoints] {
                    let log = try String(contentsOf: try suite.process(role).log, encoding: .utf8)
                    #expect(log.contains(" trace ") && !log.contains(token), "the log of \(role.rawValue)")
                }
            }
        }

        @Test("on: with user-points away order answers 503 to whom it does not know, and goes on for whom it does")
        func away() async throws {
            try await Suite.with(settings: Self.on) { suite in
                var shop = Shop(suite: suite)
                try await shop.renewAll()
                #expect(try await shop.order(for: "alice", as: "alice").status == 201)
                try await suite.process(.userPoints).crash()
                #expect(try await shop.order(for: "alice", as: "alice").status == 201)
                let unknown = try await shop.order(for: "bob", as: "bob")
                #expect(unknown.status == 503)
                #expect(unknown.headers["retry-after"] != nil)
                try await suite.restart(.userPoints)
                try await eventually("bob orders") { try await shop.order(for: "bob", as: "bob").status == 201 }
                try await suite.awaitSettled()
            }
        }

        @Test("on after off: a user from before has a token from the next PUT on; off again: all is open")
        func switched() async throws {
            try await Suite.with { suite in
                var shop = Shop(suite: suite)
                let (_, none) = try await shop.put("alice", #"{"points":0,"newToken":true}"#)
                #expect(none == nil, "off: no tokens")
                #expect(try await shop.order(for: "alice", as: nil).status == 201)
                #expect(try await suite.number(.userPoints, "SELECT count(*) FROM customer") == 0)
                try await Self.restartAll(suite, Self.on)
                let before = try await shop.put("alice", #"{"points":0}"#)
                #expect(before.answer.status == 200)
                #expect(before.token != nil)
                #expect(try await shop.order(for: "alice", as: nil).status == 401)
                #expect(try await shop.order(for: "alice", as: "alice").status == 201)
                try await Self.restartAll(suite, ["SETTLE_CUSTOMERS": "off"])
                for (role, path) in [
                    (Role.order, "/orders"), (.order, "/orders?userName=alice"), (.userPoints, "/users/alice"),
                    (.userPoints, "/users/alice/point-log"),
                ] {
                    #expect(try await shop.get(role, path, as: nil).status == 200)
                }
                #expect(try await shop.order(for: "alice", as: nil, spending: 1).status == 201)
                try await suite.awaitSettled()
            }
        }

        private static func restartAll(_ suite: Suite, _ settings: [String: String]) async throws {
            for role in [Role.userPoints, .order] {
                try await suite.stop(try suite.process(role))
                try await suite.awaitReady(try suite.start(role, settings: settings))
            }
        }

        @Test("names that look alike are two customers: one's token does not open the other")
        func lookalikes() async throws {
            try await Suite.with(settings: Self.on) { suite in
                let (composed, decomposed) = ("caf\u{E9}", "cafe\u{301}")
                var tokens: [String] = []
                for name in ["caf%C3%A9", "cafe%CC%81"] {
                    var shop = Shop(suite: suite)
                    tokens.append(try #require(try await shop.put(name, #"{"points":1}"#).token))
                }
                func place(_ name: String, _ token: String) async throws -> Int {
                    var draft = OrderDraft(name, ["tea": 1])
                    draft.mode = .all("tcc")
                    let json = String(decoding: try draft.json, as: UTF8.self)
                    let headers = ["Authorization": "Bearer \(token)"]
                    return try await suite.send("POST", .order, "/orders", json: json, headers: headers).status
                }
                #expect(try await place(composed, tokens[0]) == 201)
                #expect(try await place(decomposed, tokens[0]) == 403)
                #expect(try await place(decomposed, tokens[1]) == 201)
                #expect(try await place(composed, tokens[1]) == 403)
                try await suite.awaitSettled()
            }
        }
    }
}
