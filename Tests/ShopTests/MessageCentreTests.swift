import Foundation
import Settle
import SettleCore
import SettleHTTP
import SettlePostgres
import SettlePostgresTestSupport
import SettleRabbitMQ
import SettleTestSupport
import ShopCentreSchema
import Synchronization
import Testing

@testable import ShopMessageCentre

@Suite("The message centre", .enabled(if: ScratchDatabase.serverURL != nil), .timeLimit(.minutes(2)))
struct MessageCentreTests {
    /// A producer that a test speaks for.
    private final class ScriptedProducers: Producers {
        struct Away: Error {}

        struct State: Sendable {
            var isAway = false
            var verdict = MessageVerdict.undecided
            var asked = 0
            var taken: [String] = []
        }

        let state = Mutex(State())

        func knows(_ artist: String) -> Bool { artist == "shop" }

        func check(_ questions: [Question], at artist: String) async throws -> [ByteKey: MessageVerdict] {
            try state.withLock { state in
                guard !state.isAway else { throw Away() }
                state.asked += questions.count
                return questions.reduce(into: [:]) { $0[ByteKey($1.id)] = state.verdict }
            }
        }

        func tell(_ outcomes: [Outcome], to artist: String) async throws -> Set<ByteKey> {
            try state.withLock { state in
                guard !state.isAway else { throw Away() }
                state.taken += outcomes.map { "\($0.id): \($0.rejection ?? "done")" }
                return Set(outcomes.map { ByteKey($0.id) })
            }
        }
    }

    /// A broker that takes everything.
    private final class TakingPublisher: MessagePublisher {
        let bodies = Mutex<[String]>([])
        var takesMessages: Bool { true }

        func publish(_ messages: [OutboundMessage]) async -> [PublishOutcome] {
            bodies.withLock { $0 += messages.map { "\($0.messageID) \(String(decoding: $0.body, as: UTF8.self))" } }
            return messages.map { _ in .confirmed }
        }
    }

    private struct Bed {
        let database: PostgresDatabase
        let centre: Centre
        let checkBack: MessageCheckBack
        let producers: ScriptedProducers
        let publisher: TakingPublisher

        func message(_ id: String, _ msg: String = "{}", wantsOutcome: Bool = true) -> NewMessage {
            NewMessage(
                id: id, artist: "shop", exchange: "e", routingKey: "r", msg: msg, paramMap: #"{"order":7}"#,
                headers: "{}", wantsOutcome: wantsOutcome)
        }

        func status(_ id: String) async throws -> MessageStatus? { try await centre.store.message(id)?.status }
    }

    /// - Parameter runs: whether its loops run, or only what a test calls.
    private func withCentre(
        maxChecks: Int = 25, runs: Bool = false, _ body: (Bed) async throws -> Void
    ) async throws {
        try await ScratchDatabase.with([CentreSchema.migrations]) { database in
            var checking = CentreSettings()
            (checking.checkAfter, checking.maxChecks) = (.milliseconds(1), maxChecks)
            checking.checkCap = .milliseconds(1)
            var settings = TaskSettings()
            settings.lease = .milliseconds(300)
            settings.scanInterval = .milliseconds(50)
            let store = CentreStore(database: database, settings: settings, checking: checking)
            let (producers, publisher) = (ScriptedProducers(), TakingPublisher())
            let relay = Relay(
                store: store, committed: Mailbox(capacity: 1000), publisher: publisher, logger: quiet)
            let outcomes = OutcomeTeller(store: store, producers: producers, failpoints: .none, logger: quiet)
            let centre = Centre(store: store, relay: relay, outcomes: outcomes, failpoints: .none, logger: quiet)
            let checkBack = MessageCheckBack(centre: centre, producers: producers, failpoints: .none, logger: quiet)
            let bed = Bed(
                database: database, centre: centre, checkBack: checkBack, producers: producers, publisher: publisher)
            try await serving(runs ? [relay, outcomes, checkBack] : []) { try await body(bed) }
        }
    }

    @Test("a message that is prepared twice is kept once; with another content it stays as it was")
    func prepare() async throws {
        try await withCentre { bed async throws in
            let first = bed.message("a")
            #expect(try await bed.centre.prepare([first, bed.message("b")]) == [.prepared, .prepared])
            #expect(try await bed.centre.prepare([first, bed.message("c")]) == [.known, .prepared])
            #expect(try await bed.centre.prepare([bed.message("a", "other")]) == [.differs])
            #expect(try await bed.centre.store.messages(status: .prepared, before: nil, limit: 10).count == 3)
        }
    }

    @Test("confirmed, sent, acknowledged, told: once each, however often it is said")
    func life() async throws {
        try await withCentre(runs: true) { bed in
            bed.producers.state.withLock { $0.verdict = .undecided }
            #expect(try await bed.centre.confirm(["a"]) == [.unknown])
            _ = try await bed.centre.prepare([bed.message("a", "hello"), bed.message("b")])
            #expect(try await bed.centre.acknowledge([Acknowledgement(id: "a", rejection: nil)]) == [false])
            #expect(try await bed.centre.confirm(["a"]) == [.confirmed])
            #expect(try await bed.centre.confirm(["a", "a"]) == [.confirmed, .confirmed])
            try await eventually { Set(bed.publisher.bodies.withLock { $0 }) == ["a hello"] }
            try await eventually("it waits at the broker") { try await bed.status("a") == .sent }
            let said = [Acknowledgement(id: "a", rejection: "no stock"), Acknowledgement(id: "z", rejection: nil)]
            #expect(try await bed.centre.acknowledge(said) == [true, false])
            #expect(try await bed.centre.acknowledge(said) == [true, false])
            #expect(try await bed.status("a") == .rejected)
            try await eventually { Set(bed.producers.state.withLock { $0.taken }) == ["a: no stock"] }
            // A late copy of what began it finds it, however it ended.
            #expect(try await bed.centre.prepare([bed.message("a", "hello")]) == [.known])
            #expect(try await bed.centre.confirm(["a"]) == [.confirmed])
            #expect(try await bed.status("a") == .rejected)
            #expect(Set(bed.publisher.bodies.withLock { $0 }) == ["a hello"])
        }
    }

    @Test("an unconfirmed message is asked about: what its producer says decides", arguments: MessageVerdict.every)
    func check(verdict: MessageVerdict) async throws {
        try await withCentre { bed in
            bed.producers.state.withLock { $0.verdict = verdict }
            _ = try await bed.centre.prepare([bed.message("a")])
            try await Task.sleep(for: .milliseconds(5))
            await bed.checkBack.look()
            let expected: MessageStatus =
                switch verdict {
                case .done: .confirmed
                case .notDone: .discarded
                case .undecided: .prepared
                }
            #expect(try await bed.status("a") == expected)
            // What was never confirmed has no outcome to be told.
            #expect(bed.producers.state.withLock { $0.taken }.isEmpty)
        }
    }

    @Test(
        "a producer that never knows has its message parked; one that is away uses up no check; an operator begins anew"
    )
    func parked() async throws {
        try await withCentre(maxChecks: 2) { bed in
            _ = try await bed.centre.prepare([bed.message("a")])
            func look() async throws {
                try await Task.sleep(for: .milliseconds(10))
                await bed.checkBack.look()
            }
            bed.producers.state.withLock { $0.isAway = true }
            for _ in 0..<4 { try await look() }
            #expect(try await bed.status("a") == .prepared)
            bed.producers.state.withLock { $0.isAway = false }
            for _ in 0..<3 { try await look() }
            #expect(try await bed.status("a") == .parked)
            #expect(bed.producers.state.withLock { $0.asked } == 2)
            #expect(try await bed.centre.store.counts().first { $0.0 == .parked }?.1 == 1)
            try await bed.centre.store.makeDue(["a"])
            bed.producers.state.withLock { $0.verdict = .done }
            try await look()
            #expect(try await bed.status("a") == .confirmed)
        }
    }

    @Test("a message without an acknowledgement is parked after so many sends, and acknowledged all the same")
    func sends() async throws {
        try await withCentre { bed in
            _ = try await bed.centre.prepare([bed.message("a")])
            _ = try await bed.centre.confirm(["a"])
            _ = try await bed.database.query("UPDATE message SET sends = 25, due_time = now()")
            #expect(try await bed.centre.store.claim(limit: 10, reach: nil).parked.count == 1)
            #expect(try await bed.status("a") == .parked)
            #expect(try await bed.centre.acknowledge([Acknowledgement(id: "a", rejection: nil)]) == [true])
            #expect(try await bed.status("a") == .finished)
        }
    }

    @Test("what an operator discards is rejected to its producer where it was confirmed; a confirmation comes too late")
    func discard() async throws {
        try await withCentre(runs: true) { bed in
            _ = try await bed.centre.prepare([bed.message("a"), bed.message("b")])
            _ = try await bed.centre.confirm(["a"])
            #expect(try await bed.centre.discard(["a", "b", "z"], because: "why") == [true, true, false])
            #expect(try await bed.centre.discard(["a"], because: "again") == [true])
            try await eventually { Set(bed.producers.state.withLock { $0.taken }) == ["a: why"] }
            #expect(try await bed.centre.confirm(["b"]) == [.discarded])
            #expect(try await bed.centre.acknowledge([Acknowledgement(id: "a", rejection: nil)]) == [false])
        }
    }

    @Test("an outcome is told until it is taken")
    func tell() async throws {
        try await withCentre(runs: true) { bed in
            bed.producers.state.withLock { $0.isAway = true }
            _ = try await bed.centre.prepare([bed.message("a"), bed.message("b", wantsOutcome: false)])
            _ = try await bed.centre.confirm(["a", "b"])
            _ = try await bed.centre.acknowledge(["a", "b"].map { Acknowledgement(id: $0, rejection: nil) })
            try await Task.sleep(for: .milliseconds(100))
            bed.producers.state.withLock { $0.isAway = false }
            try await eventually { Set(bed.producers.state.withLock { $0.taken }) == ["a: done"] }
            try await eventually {
                try await bed.database.query("SELECT FROM message WHERE tell_time IS NOT NULL").isEmpty
            }
        }
    }

    @Test("what ended long ago is forgotten, and nothing else")
    func purge() async throws {
        try await withCentre { bed in
            _ = try await bed.centre.prepare([bed.message("a", wantsOutcome: false), bed.message("b")])
            _ = try await bed.centre.confirm(["a"])
            _ = try await bed.centre.acknowledge([Acknowledgement(id: "a", rejection: nil)])
            #expect(try await bed.centre.store.purge(after: nil, retention: .seconds(3600)).purged == 0)
            #expect(try await bed.centre.store.purge(after: nil, retention: .zero).purged == 1)
            #expect(try await bed.status("b") == .prepared)
        }
    }
}

extension MessageVerdict {
    fileprivate static let every: [MessageVerdict] = [.done, .notDone, .undecided]
}
