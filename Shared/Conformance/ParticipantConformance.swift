import Foundation

/// Holds a participant of global transactions against docs/wire-protocol.md, over HTTP, in the place of its initiator.
///
/// ```swift
/// var conformance = ParticipantConformance(url: "http://127.0.0.1:8081", token: token, action: "deduct", body: body)
/// conformance.modes = ["tcc"]
/// let broken = try await conformance.run().filter(\.isFailure)
/// ```
/// What the bodies ask for is really done there, so it should be data that nobody else uses. The participant must know
/// ``initiator`` as one of its initiators, at the address ``host`` and ``port``.
public struct ParticipantConformance: Sendable {
    /// Base URL of the participant.
    public var url: String
    /// What its internal routes accept.
    public var token: String
    /// What it sends to this initiator.
    public var initiatorToken: String
    /// The last part of `/branches/…`.
    public var action: String
    /// A request that the action does: JSON, in which `{n}` becomes a number that is another one in each transaction.
    public var body: String
    /// Another request that it does; without it rule P6 is skipped.
    public var otherBody: String?
    /// A request that its business refuses; without it rule P7 is skipped.
    public var refusedBody: String?
    /// The modes that the action offers.
    public var modes = ["at", "tcc", "xa", "saga"]
    /// What the participant's configuration calls this initiator.
    public var initiator = "conformance"
    /// Where it looks for it.
    public var host = "127.0.0.1"
    /// Where it looks for it.
    public var port = 9090
    /// A path of the participant's whose answer shows what the action changes.
    public var watch: String?
    /// How long a check-back is waited for.
    public var patience: Duration = .seconds(60)

    /// - Parameters:
    ///   - url: base URL of the participant.
    ///   - token: accepted by the participant, and sent by it unless ``initiatorToken`` is set.
    ///   - action: one that it can do.
    ///   - body: what the action takes.
    public init(url: String, token: String, action: String, body: String) {
        self.url = url
        self.token = token
        initiatorToken = token
        self.action = action
        self.body = body
    }

    /// Does all checks, one after the other; a minute or two at a participant with the usual settings.
    ///
    /// - Parameter report: is told of each at once.
    /// - Throws: when it cannot listen.
    public func run(report: @escaping @Sendable (ConformanceResult) -> Void = { _ in }) async throws
        -> [ConformanceResult]
    {
        let played = PlayedInitiator()
        return try await played.listening(host: host, port: port) {
            let dialogue = ParticipantDialogue(options: self, initiator: played)
            var results: [ConformanceResult] = []
            for check in ParticipantChecks.all(modes) {
                let result = await check.run(dialogue)
                await dialogue.cleanUp()
                report(result)
                results.append(result)
            }
            return results
        }
    }
}

/// What the checks say to the participant.
final class ParticipantDialogue: Sendable {
    /// A global transaction of this initiator's.
    struct Transaction: Sendable {
        let xid: String
        let number: Int
    }

    let options: ParticipantConformance
    let probe: Probe
    let initiator: PlayedInitiator
    private let begun = Begun()

    /// Those of the current check.
    private actor Begun {
        private var transactions: [String] = []
        // Other runs have had other numbers.
        private var last = Int.random(in: 1..<1 << 40)

        func next() -> Transaction {
            last += 1
            let transaction = Transaction(xid: "conformance-\(UUID().uuidString.lowercased())", number: last)
            transactions.append(transaction.xid)
            return transaction
        }

        func takeAll() -> [String] {
            defer { transactions = [] }
            return transactions
        }
    }

    init(options: ParticipantConformance, initiator: PlayedInitiator) {
        self.options = options
        self.initiator = initiator
        probe = Probe(baseURL: options.url, token: options.token)
    }

    func begin() async -> Transaction { await begun.next() }

    /// What a check leaves undecided must not hold the rows of the next one. It may be what the check has found broken.
    func cleanUp() async {
        let left = await begun.takeAll()
        for xid in left { initiator.say([.abort], about: xid) }
        if !left.isEmpty { _ = try? await end(left, "rollback") }
    }

    // MARK: First phase

    func headers(_ transaction: Transaction, _ mode: String, deadline: Int? = 60_000) -> [(String, String)] {
        [
            ("Settle-XID", transaction.xid), ("Settle-Mode", mode),
            ("Settle-Initiator", "http://\(options.host):\(options.port)"),
            ("Settle-Initiator-Name", options.initiator),
        ] + (deadline.map { [("Settle-Deadline", String($0))] } ?? [])
    }

    func call(
        _ transaction: Transaction, _ mode: String, body: String? = nil, deadline: Int? = 60_000
    ) async throws -> Reply {
        try await call(headers: headers(transaction, mode, deadline: deadline), body: text(body, transaction))
    }

    func call(headers: [(String, String)], body: String, token: Probe.Token = .right) async throws -> Reply {
        try await probe.send(.post, "/branches/\(options.action)", body, headers: headers, token: token)
    }

    func text(_ body: String? = nil, _ transaction: Transaction) -> String {
        (body ?? options.body).replacing("{n}", with: String(transaction.number))
    }

    // MARK: Second phase

    @discardableResult
    func end(_ xids: [String], _ verdict: String) async throws -> [String: String] {
        try await probe.send(.post, "/transactions/\(verdict)", try xidsBody(xids)).expect(status: 200)
            .decode(Outcomes.self).outcomes
    }

    /// Says `verdict`, again for a while where the participant leaves the XID out, and holds what comes against `outcome`.
    func end(_ transaction: Transaction, _ verdict: String, expect outcome: String) async throws {
        var got: String?
        for attempt in 1...20 {
            got = try await end([transaction.xid], verdict)[transaction.xid]
            if got != nil { break }
            try await Task.sleep(for: .milliseconds(50 * attempt))
        }
        guard got == outcome else {
            throw Unmet(expected: "\(outcome), told to \(verdict)", got: got ?? "no outcome for the XID")
        }
    }

    // MARK: What can be seen

    func isListed(_ transaction: Transaction) async throws -> Bool {
        struct List: Decodable {
            struct Branch: Decodable {
                let xid: String
                let mode: String
                let state: String
                let createdAt: String
            }
            let branches: [Branch]
        }
        return try await probe.send(.get, "/transactions?limit=1000").expect(status: 200).decode(List.self)
            .branches.contains { $0.xid == transaction.xid }
    }

    func expectListed(_ transaction: Transaction, _ isExpected: Bool, _ when: String) async throws {
        guard try await isListed(transaction) == isExpected else {
            throw Unmet(
                expected: "\(isExpected ? "an" : "no") undecided branch \(when)",
                got: isExpected ? "it is not in GET /transactions" : "it is in GET /transactions")
        }
    }

    /// What the watched path shows; nil without one.
    func look() async throws -> String? {
        guard let watch = options.watch else { return nil }
        return try await probe.send(.get, watch).expectSuccess("2xx from the path that is watched").canonical
    }

    func expectUnchanged(since before: String?, _ when: String) async throws {
        let now = try await look()
        guard now == before else {
            throw Unmet(expected: "\(before ?? "") \(when)", got: now ?? "")
        }
    }

    /// Waits for a check-back to have had its effect.
    func eventually(_ what: String, _ condition: () async throws -> Bool) async throws {
        let deadline = ContinuousClock.now + options.patience
        while try await !condition() {
            guard ContinuousClock.now < deadline else {
                throw Unmet(expected: what, got: "nothing of it within \(options.patience)")
            }
            try await Task.sleep(for: .milliseconds(50))
        }
    }
}
