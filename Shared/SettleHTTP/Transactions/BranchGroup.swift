import Foundation
import HTTPTypes
import Logging
import Settle
import SettleCore
import SettleServiceKit
import Tracing

/// Calls of one action that travel together: `POST /branches/<action>/group`.
struct BranchGroup: Codable, Sendable {
    /// How many calls may be in one.
    static let limit = 64

    struct Call: Codable, Sendable {
        /// Those that it would have as a request of its own.
        let headers: [String: String]
        /// The request's JSON, as a text: it is kept and compared as it came.
        let request: String
    }

    let calls: [Call]
}

/// What became of each call of a group, in order.
struct BranchGroupAnswer: Codable, Sendable {
    struct Answer: Codable, Sendable {
        let status: Int
        /// The JSON that the body would be: an answer, or a problem.
        let body: String
        let retryAfter: String?
        /// As the header `Settle-Enlisted`.
        let enlisted: String?
        /// As the header `Settle-Must-Roll-Back`.
        let mustRollBack: Bool?
        /// Of one that has to come alone: it is done, and goes on then.
        let isDone: Bool?

        init(
            status: Int, body: String, retryAfter: String? = nil, enlisted: String? = nil, mustRollBack: Bool? = nil,
            isDone: Bool? = nil
        ) {
            self.status = status
            self.body = body
            self.retryAfter = retryAfter
            self.enlisted = enlisted
            self.mustRollBack = mustRollBack
            self.isDone = isDone
        }
    }

    let answers: [Answer]
}

/// Answers the calls of a group, each as if it had come alone.
struct BranchGroupAnswers {
    private let participant: Participant
    private let checkBack: CheckBack
    private let logger: Logger

    init(_ participant: Participant, _ checkBack: CheckBack, logger: Logger) {
        self.participant = participant
        self.checkBack = checkBack
        self.logger = logger
    }

    func answers(to group: BranchGroup, _ action: String) async -> BranchGroupAnswer {
        let checked = group.calls.map { call in Result { try check(call) } }
        let requests = checked.compactMap { try? $0.get() }
        let trace = trace(group, action)
        defer { trace.end() }
        var done = await trace.run { await participant.perform(action, group: requests) }[...]
        let problems = BranchProblems(action: action, logger: logger)
        return BranchGroupAnswer(
            answers: zip(group.calls, checked).map { call, checked in
                do {
                    _ = try checked.get()
                    guard let result = done.popFirst() else { throw Problem.internalError }
                    let answer = try result.get()
                    return .init(
                        status: 200, body: String(decoding: answer.body, as: UTF8.self),
                        enlisted: answer.enlistedHeader)
                } catch {
                    let problem = problems.problem(
                        for: error, namesBranch: call.headers[BranchContext.branchHeader] != nil)
                    return .init(problem, isDone: error as? BranchError == .goesOnAlone)
                }
            })
    }

    /// A span for each call in its own trace, with a link to the one of the request that they came in.
    private func trace(_ group: BranchGroup, _ action: String) -> BatchTrace {
        let trace = BatchTrace(
            "branch \(action)", ofKind: .internal, traceParents: group.calls.map { $0.headers[TraceHeader.name] }
        ) { place in
            let headers = group.calls[place].headers
            return .branch(
                headers[BranchContext.xidHeader].flatMap(XID.init), action: action,
                mode: headers[BranchContext.modeHeader])
        }
        if let request = ServiceContext.current {
            for place in group.calls.indices { trace[place]?.addLink(SpanLink(context: request, attributes: [:])) }
        }
        return trace
    }

    private func check(_ call: BranchGroup.Call) throws -> BranchRequest {
        let context = try checkBack.known(BranchContext { call.headers[$0] })
        return BranchRequest(body: try checkedJSON(call.request), context: context)
    }
}

extension BranchGroupAnswer.Answer {
    fileprivate init(_ problem: Problem, isDone: Bool) {
        self.init(
            status: problem.status.code, body: String(decoding: problem.document, as: UTF8.self),
            retryAfter: problem.headers[.retryAfter], enlisted: problem.headers[settle: BranchContext.enlistedHeader],
            mustRollBack: problem.headers[settle: BranchContext.rollbackHeader] != nil ? true : nil,
            isDone: isDone ? true : nil)
    }
}
