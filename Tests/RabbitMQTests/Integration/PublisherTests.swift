import Foundation
import SettleRabbitMQ
import SettleTestSupport
import Testing

@Suite(.enabled(if: TestServer.isThere))
struct PublisherTests {
    @Test func anUnroutableMessageIsReturnedAndItsNeighboursAreNot() async throws {
        let names = Names()
        let publisher = RabbitMQPublisher(try TestServer.configuration(), topology: names.topology(), logger: quiet)
        try await serving([publisher]) {
            try await eventually("up") { publisher.isUp }
            var messages = (0..<20).map { names.message($0) }
            messages[7].routingKey = "nobody"
            let outcomes = await publisher.publish(messages)
            #expect(outcomes[7] == .returned(code: 312, text: "NO_ROUTE"))
            #expect(outcomes.count { $0 == .confirmed } == 19)
        }
    }

    @Test func aReturnIsNotTakenForAnotherMessageWithTheSameID() async throws {
        let names = Names()
        let publisher = RabbitMQPublisher(try TestServer.configuration(), topology: names.topology(), logger: quiet)
        try await serving([publisher]) {
            try await eventually("up") { publisher.isUp }
            var lost = names.message(1)
            lost.routingKey = "nobody"
            let outcomes = await publisher.publish([names.message(1), lost, names.message(1)])
            #expect(outcomes == [.confirmed, .returned(code: 312, text: "NO_ROUTE"), .confirmed])
        }
    }

    @Test func manyTasksPublishAtTheSameTime() async throws {
        let names = Names()
        let publisher = RabbitMQPublisher(
            try TestServer.configuration(), topology: names.topology(), window: 100, logger: quiet)
        try await serving([publisher]) {
            try await eventually("up") { publisher.isUp }
            await withTaskGroup { tasks in
                for task in 0..<50 {
                    tasks.addTask {
                        for size in 1...20 {
                            let messages = (0..<size).map { number in
                                var message = names.message(number)
                                if number % 7 == task % 7 { message.routingKey = "nobody" }
                                return message
                            }
                            let outcomes = await publisher.publish(messages)
                            let expected = messages.map { message -> PublishOutcome in
                                message.routingKey == names.key ? .confirmed : .returned(code: 312, text: "NO_ROUTE")
                            }
                            #expect(outcomes == expected)
                        }
                    }
                }
            }
        }
    }

    @Test func aFullQueueThatRejectsNacks() async throws {
        let names = Names()
        let topology = names.topology(.classic, ["x-max-length": 1, "x-overflow": "reject-publish"])
        let publisher = RabbitMQPublisher(try TestServer.configuration(), topology: topology, logger: quiet)
        try await serving([publisher]) {
            try await eventually("up") { publisher.isUp }
            #expect(await publisher.publish([names.message(1)]) == [.confirmed])
            let outcomes = await publisher.publish((2..<10).map { names.message($0) })
            #expect(outcomes.contains(.nacked))
            #expect(outcomes.allSatisfy { $0 == .nacked || $0 == .confirmed })
        }
    }

    @Test func manyMissingExchangesAtOnceAreFoundOneByOne() async throws {
        let names = Names()
        let publisher = RabbitMQPublisher(try TestServer.configuration(), topology: names.topology(), logger: quiet)
        try await serving([publisher]) {
            try await eventually("up") { publisher.isUp }
            var messages = (0..<30).map { names.message($0) }
            for number in 0..<10 { messages[number * 3].exchange = "\(names.exchange).missing\(number)" }
            _ = await publisher.publish(messages)
            let outcomes = await publisher.publish(messages)
            for (message, outcome) in zip(messages, outcomes) {
                if case .returned(404, _) = outcome, message.exchange != names.exchange { continue }
                #expect(outcome == .confirmed && message.exchange == names.exchange)
            }
        }
    }

    @Test func aMissingExchangeLosesWhatIsOnItsWayOnceAndIsKnownThen() async throws {
        let names = Names()
        let publisher = RabbitMQPublisher(try TestServer.configuration(), topology: names.topology(), logger: quiet)
        try await serving([publisher]) {
            try await eventually("up") { publisher.isUp }
            var messages = (0..<4).map { names.message($0) }
            messages[0].exchange = "\(names.exchange).missing"
            for outcome in await publisher.publish(messages) {
                guard case .lost(let reason) = outcome else {
                    Issue.record("\(outcome)")
                    continue
                }
                #expect(reason.contains("404"))
            }
            #expect(publisher.isUp)
            let outcomes = await publisher.publish(messages)
            guard case .returned(404, _) = outcomes[0] else { return #expect(outcomes[0] == .nacked) }
            #expect(outcomes.dropFirst() == [.confirmed, .confirmed, .confirmed])
        }
    }

    @Test func aMessageThatCannotBeSentSpoilsNoOther() async throws {
        let names = Names()
        let publisher = RabbitMQPublisher(try TestServer.configuration(), topology: names.topology(), logger: quiet)
        try await serving([publisher]) {
            try await eventually("up") { publisher.isUp }
            var bad = names.message(2)
            bad.routingKey = String(repeating: "k", count: 256)
            let outcomes = await publisher.publish([names.message(1), bad, names.message(3)])
            #expect(outcomes[0] == .confirmed)
            guard case .returned(502, _) = outcomes[1] else { return #expect(outcomes[1] == .nacked) }
            #expect(outcomes[2] == .confirmed)
            #expect(await publisher.publish([]) == [])
        }
    }

    @Test func aNarrowWindowIsEnoughForABigBatch() async throws {
        let names = Names()
        let publisher = RabbitMQPublisher(
            try TestServer.configuration(), topology: names.topology(), window: 3, logger: quiet)
        try await serving([publisher]) {
            try await eventually("up") { publisher.isUp }
            #expect(await publisher.publish((0..<50).map { names.message($0) }).allSatisfy { $0 == .confirmed })
        }
    }

    @Test func shuttingDownWaitsForWhatIsOutstandingAndRefusesTheRest() async throws {
        let names = Names()
        let publisher = RabbitMQPublisher(try TestServer.configuration(), topology: names.topology(), logger: quiet)
        let begun = try await serving([publisher]) {
            try await eventually("up") { publisher.isUp }
            return Task.immediate { await publisher.publish((0..<5000).map { names.message($0) }) }
        }
        #expect(await begun.value.allSatisfy { $0 == .confirmed })
        #expect(await publisher.publish([names.message(1)]) == [.notSent(reason: "shut down")])
    }

    @Test func whatIsAcceptedAsItStopsIsPublished() async throws {
        for _ in 0..<20 {
            let names = Names()
            let publisher = RabbitMQPublisher(
                try TestServer.configuration(), topology: names.topology(), logger: quiet)
            let load = try await serving([publisher]) {
                try await eventually("up") { publisher.isUp }
                return Task {
                    await withTaskGroup { tasks in
                        for _ in 0..<4 {
                            tasks.addTask {
                                while true {
                                    let outcome = await publisher.publish([names.message(1)])[0]
                                    guard outcome == .confirmed else { return outcome }
                                }
                            }
                        }
                        return await tasks.reduce(into: []) { $0.append($1) }
                    }
                }
            }
            // Refused when they came; none was taken in and then dropped.
            #expect(
                await load.value.allSatisfy {
                    [.notSent(reason: "shutting down"), .notSent(reason: "shut down")].contains($0)
                })
        }
    }

    @Test func cancellingEndsItAtOnce() async throws {
        let names = Names()
        let publisher = RabbitMQPublisher(try TestServer.configuration(), topology: names.topology(), logger: quiet)
        let run = Task { try await publisher.run() }
        try await eventually("up") { publisher.isUp }
        run.cancel()
        try await run.value
        #expect(!publisher.isUp)
    }

    @Test func itRunsOnceOnly() async throws {
        let names = Names()
        let publisher = RabbitMQPublisher(try TestServer.configuration(), topology: names.topology(), logger: quiet)
        try await serving([publisher]) {
            try await eventually("up") { publisher.isUp }
            await #expect(throws: (any Error).self) { try await publisher.run() }
        }
    }

    @Test func aWrongPasswordKeepsItDown() async throws {
        var url = try #require(URLComponents(string: TestServer.url ?? ""))
        (url.user, url.password) = ("nobody", "wrong")
        let configuration = TestServer.impatient(try RabbitMQConfiguration(url: #require(url.string)))
        let publisher = RabbitMQPublisher(configuration, topology: Topology(), logger: quiet)
        try await serving([publisher]) {
            try await eventually("the broker's refusal is the reason") {
                guard case .notSent(let reason) = await publisher.publish([Names().message(1)]).first else {
                    return false
                }
                return reason.contains("403 ACCESS_REFUSED")
            }
            #expect(!publisher.isUp)
        }
    }
}
