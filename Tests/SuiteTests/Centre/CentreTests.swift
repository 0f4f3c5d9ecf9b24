import SettleTestSupport
import Testing

extension Proof {
    @Suite("Mode centre", .timeLimit(.minutes(5)))
    struct CentreTests {
        @Test(
            "orders settle or are cancelled by messages that the centre keeps; each is archived once, there and at order"
        )
        func orders() async throws {
            try await Suite.withCentre { suite in
                let load = suite.centreLoad(limit: 300, pause: .zero)
                let attempts = await load.finished()
                #expect(attempts.count(status: 201) == 300)
                var tooMany = OrderDraft("alice", ["tea": 999_999, "cup": 1])
                tooMany.mode = .centre
                let refused = try await suite.place(tooMany)
                #expect(refused.status == 201)
                try await suite.expectMessagesArchived()
                try await suite.awaitSettled()
                let order = try #require(refused.orderID)
                let answer = try #require(try await suite.get(suite.port(.order), "/orders/\(order)")).text
                #expect(answer.contains(#""status":"cancelled""#) && answer.contains("not enough stock of tea"))
                #expect(answer.contains(#""taskType":"deductstock""#) && answer.contains(#""status":"rejected""#))
            }
        }

        @Test("two replicas of each, and the other modes beside it")
        func replicas() async throws {
            try await Suite.withCentre { suite in
                for role in Role.everyone { try await suite.awaitReady(try suite.start(role, replica: true)) }
                let load = suite.load(clients: 8, limit: 300) { number in
                    var draft = OrderDraft.mixed(number)
                    draft.mode = [.centre, .message, .all("tcc")][number % 3]
                    return draft
                }
                let attempts = await load.finished()
                #expect(attempts.count(status: 201) == 300, "\(attempts.summary)")
                try await suite.expectAgreement(attempts)
                try await suite.expectMessagesArchived()
            }
        }

        @Test(
            "the centre away for a minute: orders are taken all the while, their pre-messages wait, and all settle afterwards"
        )
        func centreAway() async throws {
            try await Suite.withCentre { suite in
                let load = suite.centreLoad(pause: .milliseconds(50))
                try await grow(load, by: 50)
                try await suite.process(.messageCentre).crash()
                try await grow(load, by: 200)
                try await Task.sleep(for: .seconds(60))
                #expect(try await suite.number(.order, "SELECT count(*) FROM settle.pre_message") > 200)
                try await suite.restart(.messageCentre)
                try await grow(load, by: 50)
                let attempts = await load.stop()
                #expect(attempts.allSatisfy { $0.status == 201 }, "\(attempts.summary)")
                try await suite.expectAgreement(attempts)
                try await suite.expectMessagesArchived()
            }
        }

        @Test("the broker away: orders are taken all the while, no send is used up, and all settle afterwards")
        func brokerAway() async throws {
            try await Suite.withCentre { suite in
                let load = suite.centreLoad(pause: .milliseconds(50))
                try await grow(load, by: 50)
                try await Servers.stop(.rabbitmq)
                try await suite.awaitReadiness(.messageCentre, 503, "rabbitmq", "down")
                try await grow(load, by: 100)
                try await Servers.start(.rabbitmq)
                try await suite.awaitReadiness(.messageCentre, 200, "rabbitmq", "up")
                try await grow(load, by: 50)
                let attempts = await load.stop()
                #expect(attempts.allSatisfy { $0.status == 201 }, "\(attempts.summary)")
                try await suite.expectAgreement(attempts)
                try await suite.expectMessagesArchived()
            }
        }

        @Test("messages are signed by who writes them, and checked by who consumes them; the centre knows no key")
        func signed() async throws {
            let keys =
                "addpoint=\(String(repeating: "a", count: 32)),deductstock=\(String(repeating: "d", count: 32)),"
                + "restock=\(String(repeating: "r", count: 32))"
            try await Suite.with(settings: Suite.quickCentre, start: false) { suite in
                let of: [Role: [String]] = [
                    .order: ["addpoint", "deductstock", "restock"], .stock: ["deductstock", "restock"],
                    .userPoints: ["addpoint"], .messageCentre: [],
                ]
                for (role, types) in of {
                    let own = keys.split(separator: ",").filter { key in types.contains { key.hasPrefix("\($0)=") } }
                    try suite.start(role, settings: own.isEmpty ? [:] : ["MESSAGE_KEYS": own.joined(separator: ",")])
                }
                for role in Role.everyone { try await suite.awaitReady(role) }
                try await suite.seed()
                let attempts = await suite.centreLoad(limit: 50).finished()
                try await suite.expectAgreement(attempts)
                try await suite.expectMessagesArchived()
                // One that somebody else publishes is believed by nobody.
                let points = try await suite.points("alice")
                try await suite.publish(
                    "centre.addpoint", [#"{"userName":"alice","orderId":"forged","point":1000000}"#])
                try await suite.awaitQueue(Suite.deadLetterQueue, length: 1)
                #expect(try await suite.points("alice") == points)
            }
        }
    }
}
