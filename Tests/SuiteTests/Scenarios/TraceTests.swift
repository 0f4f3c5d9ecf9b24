import Foundation
import SettleCore
import SettleTestSupport
import Testing

extension Proof {
    @Suite("Traces", .timeLimit(.minutes(5)))
    struct TraceTests {
        private static let exchange = "ex_buying_addpointurse"

        /// One order, with a trace of the client's; returns that once the order has come to its end.
        private func place(_ draft: OrderDraft, _ suite: Suite) async throws -> TraceParent {
            let trace = TraceParent.random()
            let answer = try await suite.send(
                "POST", .order, "/orders", json: String(decoding: try draft.json, as: UTF8.self),
                headers: ["traceparent": trace.description])
            try #require(answer.status == 201, "\(answer.text)")
            return trace
        }

        private func draft(_ mode: OrderDraft.Mode, user: String = "alice", spending points: Int = 0) -> OrderDraft {
            var draft = OrderDraft(user, ["tea": 1])
            draft.mode = mode
            draft.spendPoints = points
            return draft
        }

        /// The trace, once all of `paths` are in it.
        private func awaitPaths(
            _ paths: [String], in trace: TraceParent, _ collector: Collector
        ) async throws -> CollectedTrace {
            var latest = CollectedTrace(trace.traceID, among: [])
            try await eventually(
                "the trace has all its spans", within: .seconds(30), every: .milliseconds(100),
                otherwise: { "missing: \(paths.filter { !latest.paths.contains($0) })\n\(latest.text)" }
            ) {
                latest = CollectedTrace(trace.traceID, among: try collector.spans())
                return latest.paths.isSuperset(of: paths)
            }
            return latest
        }

        /// One tree, from the client's span down, whose every span is as long as it may be.
        private func expectOneTree(
            _ trace: CollectedTrace, beneath parent: TraceParent, mayFail: Set<String> = []  // ours
        ) {
            #expect(trace.roots.map(\.label) == ["order: POST /orders"], "\(trace.text)")
            #expect(trace.roots.first?.parent == parent.spanID)
            #expect(Set(trace.spans.map(\.id)).count == trace.spans.count, "a span came twice")
            for span in trace.spans {
                #expect(span.end >= span.start && span.flags & 1 == 1)
                #expect(!span.isError || mayFail.contains(span.name), "\(span.label): \(span.attributes)")
            }
        }

        /// The way of one task, below `root`.
        private func task(
            _ key: String, of receiver: String, below root: String = "order: POST /orders", sender: String = "order"
        ) -> [String] {
            let sent = "\(root) > \(sender): send \(Self.exchange):\(key)"
            let processed = "\(sent) > \(receiver): process cg_buying_\(key)"
            let answered = "\(processed) > \(receiver): send \(Self.exchange):finish\(key)"
            return [sent, processed, answered, "\(answered) > order: process cg_buying_finish\(key)"]
        }

        /// One call of an action, below the request.
        private func branch(_ action: String, at participant: String) -> [String] {
            let root = "order: POST /orders"
            let called = "\(root) > order: call \(action)"
            let request = "\(called) > order: POST /branches/\(action) > \(participant): POST /branches/\(action)"
            let ended = "\(root) > order: commit at \(participant) > order: POST /transactions/commit"
            return [
                "\(request) > \(participant): branch \(action)",
                "\(ended) > \(participant): POST /transactions/commit",
            ]
        }

        @Test("an order by tasks is one trace, over the outbox, the broker and the answers")
        func message() async throws {
            try await Collector.with { collector in
                try await Suite.with(settings: collector.settings) { suite in
                    let client = try await place(draft(.message), suite)
                    let paths =
                        ["order: POST /orders > order: ask prices > order: POST /quotes > stock: POST /quotes"]
                        + ["order: POST /orders > order: write order > order: insert orders"]
                        + task("deductstock", of: "stock") + task("addpoint", of: "user-points")
                    let trace = try await awaitPaths(paths, in: client, collector)
                    expectOneTree(trace, beneath: client)
                    try expectConventions(trace)
                }
            }
        }

        /// Kinds and attributes as OpenTelemetry names them.
        private func expectConventions(_ trace: CollectedTrace) throws {
            func span(_ label: String) throws -> CollectedSpan {
                try #require(trace.spans.first { $0.label == label }, "\(label) in \(trace.text)")
            }
            func expect(_ label: String, _ kind: String, _ expected: [String: String]) throws {
                let span = try span(label)
                #expect(span.kind == kind, "\(label)")
                for (name, value) in expected { #expect(span.attributes[name] == value, "\(label): \(name)") }
            }
            try expect(
                "order: POST /orders", "server",
                [
                    "http.request.method": "POST", "http.route": "/orders", "url.path": "/orders", "url.scheme": "http",
                    "http.response.status_code": "201",
                ])
            try expect(
                "order: POST /quotes", "client",
                ["http.request.method": "POST", "url.template": "/quotes", "http.response.status_code": "200"])
            try expect(
                "order: insert orders", "client",
                ["db.system.name": "postgresql", "db.query.summary": "insert orders"])
            #expect(try span("order: insert orders").attributes["db.namespace"]?.isEmpty == false)
            try expect(
                "order: send \(Self.exchange):addpoint", "producer",
                [
                    "messaging.system": "rabbitmq", "messaging.operation.type": "send",
                    "messaging.destination.name": "\(Self.exchange):addpoint",
                    "messaging.rabbitmq.destination.routing_key": "addpoint",
                ])
            try expect(
                "user-points: process cg_buying_addpoint", "consumer",
                [
                    "messaging.system": "rabbitmq", "messaging.operation.type": "process",
                    "messaging.destination.name": "\(Self.exchange):addpoint:cg_buying_addpoint",
                    "messaging.rabbitmq.destination.routing_key": "addpoint",
                ])
            let (sent, processed) = (
                try span("order: send \(Self.exchange):addpoint"), try span("user-points: process cg_buying_addpoint")
            )
            #expect(sent.attributes["messaging.message.id"] == processed.attributes["messaging.message.id"])
            #expect(sent.attributes["settle.business_key"] == processed.attributes["settle.business_key"])
            // What was done within is beneath it: the local transaction.
            #expect(
                trace.spans.contains { $0.parent == processed.id && $0.attributes["db.system.name"] == "postgresql" })
        }

        @Test("so is one by a global transaction, with its branches and their end", arguments: OrderDraft.Mode.some)
        func transaction(mode: OrderDraft.Mode) async throws {
            try await Collector.with { collector in
                try await Suite.with(settings: collector.settings) { suite in
                    let client = try await place(draft(mode, spending: 10), suite)
                    let trace = try await awaitPaths(
                        branch("deduct", at: "stock") + branch("spend", at: "user-points")
                            + task("addpoint", of: "user-points"),
                        in: client, collector)
                    // In these the branch may still hold the user's row when the task comes, which is then tried again.
                    let isHeld = ["at", "xa"].contains(mode.points)
                    expectOneTree(trace, beneath: client, mayFail: isHeld ? ["together"] : [])
                    let xids = Set(trace.spans.compactMap { $0.attributes["settle.xid"] })
                    #expect(xids.count == 1)
                }
            }
        }

        @Test("so is one by the message centre, with what it is told and what it tells")
        func centre() async throws {
            try await Collector.with { collector in
                try await Suite.withCentre(settings: collector.settings) { suite in
                    let client = try await place(draft(.centre), suite)
                    let root = "order: POST /orders"
                    func message(_ key: String, of receiver: String) -> [String] {
                        let sent = "\(root) > message-centre: send \(Self.exchange):centre.\(key)"
                        let processed = "\(sent) > \(receiver): process cg_buying_centre_\(key)"
                        return [sent, "\(processed) > \(receiver): POST /ack > message-centre: POST /ack"]
                    }
                    let paths =
                        ["prepare", "confirm"].map {
                            "\(root) > order: \($0) message > order: POST /\($0) > message-centre: POST /\($0)"
                        } + [
                            "\(root) > message-centre: tell outcome > message-centre: POST /messages/outcomes"
                                + " > order: POST /messages/outcomes"
                        ] + message("deductstock", of: "stock") + message("addpoint", of: "user-points")
                    let trace = try await awaitPaths(paths, in: client, collector)
                    expectOneTree(trace, beneath: client)
                }
            }
        }

        @Test("a rejected task is in the trace, and what compensates it")
        func compensated() async throws {
            try await Collector.with { collector in
                try await Suite.with(settings: collector.settings) { suite in
                    let client = try await place(draft(.message, user: "nobody"), suite)
                    let trace = try await awaitPaths(
                        task("deductstock", of: "stock") + task("addpoint", of: "user-points")
                            + task("restock", of: "stock"), in: client, collector)
                    expectOneTree(trace, beneath: client)
                    let answer = try #require(
                        trace.spans.first { $0.label == "order: process cg_buying_finishaddpoint" })
                    #expect(answer.attributes["settle.task.status"] == "rejected")
                }
            }
        }

        @Test(
            "orders that travel together are a trace each, with links to those beside them, and all links lead somewhere"
        )
        func batches() async throws {
            try await Collector.with { collector in
                try await Suite.with(settings: collector.settings) { suite in
                    let modes = [OrderDraft.Mode.message, .all("tcc"), .all("saga")]
                    let clients = try await withThrowingTaskGroup(of: TraceParent.self) { group in
                        for number in 0..<90 {
                            group.addTask { try await place(draft(modes[number % 3]), suite) }
                        }
                        return try await group.reduce(into: [TraceParent]()) { $0.append($1) }
                    }
                    for client in clients {
                        let trace = try await awaitPaths(task("addpoint", of: "user-points"), in: client, collector)
                        #expect(trace.roots.map(\.label) == ["order: POST /orders"], "\(trace.text)")
                    }
                    // The last spans to end are those of phase 2 and of the requests; one more batch brings them.
                    var spans: [CollectedSpan] = []
                    var open: [CollectedSpan.Link] = []
                    try await eventually("all links lead somewhere", within: .seconds(20), every: .milliseconds(200)) {
                        spans = try collector.spans()
                        let known = Set(spans.map { "\($0.trace) \($0.id)" })
                        open = spans.flatMap(\.links).filter { !known.contains("\($0.trace) \($0.id)") }
                        return open.isEmpty
                    }
                    let linked = spans.filter { !$0.links.isEmpty }
                    #expect(linked.contains { $0.kind == "consumer" }, "no two messages came in one batch")
                    #expect(linked.contains { span in span.links.contains { $0.trace != span.trace } })
                    let traces = Set(clients.map(\.traceID))
                    #expect(linked.allSatisfy { traces.contains($0.trace) })
                }
            }
        }

        @Test("what nobody records is sent to nobody: unset, disabled, or not sampled")
        func silent() async throws {
            try await Collector.with { collector in
                let disabled = collector.settings.merging(["OTEL_SDK_DISABLED": "true"]) { $1 }
                let off = collector.settings.merging(["OTEL_TRACES_SAMPLER": "always_off"]) { $1 }
                for settings in [[:], disabled, off] {
                    try await Suite.with(settings: settings) { suite in
                        let attempts = await suite.load(clients: 4, limit: 20).finished()
                        #expect(attempts.count(status: 201) == 20, "\(attempts.summary)")
                        try await suite.expectAgreement(attempts)
                    }
                }
                #expect(try collector.spans().isEmpty)
            }
        }

        /// How a collector may let down those who send to it.
        enum Trouble: CaseIterable { case away, slow, failing }

        @Test(
            "a collector that is away, slow or failing costs no order, and what it misses is counted",
            arguments: Trouble.allCases)
        func trouble(_ trouble: Trouble) async throws {
            switch trouble {
            case .away: try await expectNoHarm("http://127.0.0.1:\(try Ports.take())", reason: "unavailable")
            case .slow:
                // The kernel takes the connections; nobody ever reads from them.
                let port = try Ports.take()
                let socket = try #require(Socket.listen(port: port))
                defer { close(socket) }
                try await expectNoHarm("http://127.0.0.1:\(port)", reason: "unavailable")
            case .failing:
                try await Collector.with(status: 500) { collector in
                    try await expectNoHarm("http://127.0.0.1:\(collector.port)", reason: "refused")
                }
            }
        }

        private func expectNoHarm(_ endpoint: String, reason: String) async throws {
            let settings = [
                "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_TIMEOUT": "500",
                "OTEL_BSP_SCHEDULE_DELAY": "50", "OTEL_BSP_MAX_QUEUE_SIZE": "512",
            ]
            try await Suite.with(settings: settings) { suite in
                let attempts = await suite.load(clients: 8, limit: 200).finished()
                #expect(attempts.count(status: 201) == 200, "\(attempts.summary)")
                try await suite.expectAgreement(attempts)
                try await eventually("dropped spans are counted", within: .seconds(40), every: .milliseconds(200)) {
                    try await suite.metric(.order, "trace_spans_dropped_total{reason=\"\(reason)\"}") > 0
                }
                #expect(try await suite.metric(.order, "trace_spans_exported_total") == 0)
            }
        }
    }
}
