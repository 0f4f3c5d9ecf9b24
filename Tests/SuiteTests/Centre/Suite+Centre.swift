import SettlePostgres
import SettleTestSupport
import Testing

extension Suite {
    /// Patient enough to be told from broken, impatient enough for a short test.
    static let quickCentre = ["MESSAGE_DEADLINE": "2s", "MESSAGE_CHECK_AFTER": "1s"]

    /// A suite with the message centre.
    static func withCentre(
        settings: [String: String] = [:], _ body: (Suite) async throws -> Void
    ) async throws {
        try await with(settings: quickCentre.merging(settings) { $1 }, centre: true, body)
    }

    /// Waits until the centre and order know of no message that is under way, and checks what is archived: each message once,
    /// and those of each order as its end says.
    func expectMessagesArchived(
        within limit: Duration = .seconds(60), sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        try await eventually("no message is under way", within: limit, every: .milliseconds(100), otherwise: underWay) {
            let atCentre = try await self.number(
                .messageCentre, "SELECT count(*) FROM message WHERE archive_time IS NULL OR tell_time IS NOT NULL")
            return try await self.number(.order, "SELECT count(*) FROM settle.pre_message") + atCentre == 0
        }
        // What was done at order and what was acknowledged at the centre are the same messages.
        let done = try await ids(.order, "SELECT id::text FROM settle.message_his WHERE status <> 'void' ORDER BY 1")
        let acknowledged = try await ids(
            .messageCentre, "SELECT id FROM message WHERE status IN ('finished', 'rejected') ORDER BY 1")
        #expect(done == acknowledged, sourceLocation: sourceLocation)
        // What never was an order's is thrown away, and nothing else.
        let void = try await ids(.order, "SELECT id::text FROM settle.message_his WHERE status = 'void'")
        let discarded = try await ids(.messageCentre, "SELECT id FROM message WHERE status = 'discarded'")
        #expect(Set(discarded).isSubset(of: void), sourceLocation: sourceLocation)
        let wrong = try await ids(
            .order,
            """
            SELECT o.id || ' ' || o.status || ': ' || coalesce(m.steps, 'nothing') FROM orders o
            LEFT JOIN LATERAL (
                SELECT string_agg(message_type || ' ' || status, ', ' ORDER BY id) AS steps
                FROM settle.message_his WHERE business_key = o.id::text AND status <> 'void') m ON true
            WHERE o.mode = 'centre' AND (o.status, coalesce(m.steps, '')) NOT IN (
                ('settled', 'deductstock finished, addpoint finished'), ('cancelled', 'deductstock rejected'),
                ('cancelled', 'deductstock finished, addpoint rejected, restock finished'))
            """)
        #expect(wrong.isEmpty, "\(wrong.prefix(5))", sourceLocation: sourceLocation)
    }

    /// What is under way, for a person to read.
    private func underWay() async -> String {
        do {
            let atOrder = try await ids(
                .order,
                """
                SELECT 'order: ' || message_type || ' ' || state || ', attempts ' || attempts || ': ' || count(*)
                FROM settle.pre_message GROUP BY message_type, state, attempts
                """)
            let atCentre = try await ids(
                .messageCentre,
                """
                SELECT 'centre: ' || status || ', ' || coalesce(errormsg, 'no errormsg') || ': ' || count(*) || ', checks '
                       || max(checks) || ', sends ' || max(sends) || ', to be told ' || count(tell_time)
                FROM message WHERE archive_time IS NULL OR tell_time IS NOT NULL GROUP BY status, errormsg
                """)
            return (atOrder + atCentre + ["queues: \(try await queueLengths())"]).joined(separator: "\n")
        } catch {
            return "\(error)"
        }
    }

    private func ids(_ role: Role, _ sql: String) async throws -> [String] {
        try await rows(role, sql).map { try $0.decode(String.self, at: 0) }
    }

    /// Orders in mode `centre`, every seventh of a user whom user-points does not know.
    func centreLoad(clients: Int = 8, limit: Int = .max, pause: Duration = .milliseconds(10)) -> Load {
        load(clients: clients, limit: limit, pause: pause) { number in
            var draft = OrderDraft.mixed(number)
            draft.mode = .centre
            return draft
        }
    }
}
