import Foundation
public import Hummingbird
public import Settle
import SettleServiceKit

/// `/reconciliation`: what an operator asks of who compares the books; internal.
public struct ReconciliationRoutes: Sendable {
    struct Which: Decodable {
        let repair: Bool?
    }

    struct Begun: Encodable {
        let status: String
    }

    struct Decision: Decodable {
        let finding: UUID
        let reason: String
    }

    struct Applied: Encodable {
        let applied: Bool
    }

    private let reconciler: Reconciler

    /// The routes of `reconciler`.
    public init(_ reconciler: Reconciler) { self.reconciler = reconciler }

    /// Adds beginning a run, what the last one found, and carrying out a proposal.
    public func add(to guarded: RouterGroup<some RequestContext>) {
        guarded.post("reconciliation") { request, context in
            let which = try await optionalJSON(Which.self, from: request, context: context)
            let isBegun = try await reconciler.begin(repairs: which?.repair ?? true)
            return try Response.json(Begun(status: isBegun ? "begun" : "running"), status: .accepted)
        }
        guarded.get("reconciliation") { request, _ in
            guard let report = try await reconciler.last() else {
                throw Problem.notFound("the books were not compared yet")
            }
            guard request.headers[.accept]?.contains("text/plain") ?? false else { return try Response.json(report) }
            return Response(
                status: .ok, headers: [.contentType: "text/plain; charset=utf-8"],
                body: ResponseBody(byteBuffer: ByteBuffer(string: report.text)))
        }
        guarded.post("reconciliation/apply") { request, context in
            let decision = try await requireJSON(Decision.self, from: request, context: context)
            try Check.length("reason", decision.reason, 1...255)
            guard let isApplied = try await reconciler.apply(decision.finding, reason: decision.reason) else {
                throw Problem.notFound("there is no such finding with a proposal that is open")
            }
            return try Response.json(Applied(applied: isApplied))
        }
    }
}
