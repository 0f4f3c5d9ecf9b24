import Foundation
import HTTPTypes
import Settle
import SettleCore
import SettleServiceKit
import Synchronization
import Tracing

/// Calls the actions of one participant. Calls of one action that come while others are on their way go together in the
/// next; a lone one leaves at once, and nobody waits long for those on their way.
///
/// Groups are of one mode. Where a good part of a group has to come a second time, because others hold the rows, the calls go
/// by themselves for a while: that is how it is with hot rows in `at` and `xa`, which are held until their end.
final class BranchGroups: Sendable {
    /// Those that may go together.
    private struct Line: Hashable {
        let action: String  // ours
        let mode: BranchMode

        /// In `at` the parts are done one after the other in their local transaction, which holds its rows meanwhile.
        var limit: Int { mode == .at ? 16 : BranchGroup.limit }
    }

    private struct Call: Sendable {
        let request: String
        let headers: [String: String]
        /// Which trace it is in, as headers.
        let trace: [String: String]
        /// Of the call, where its trace is recorded.
        let span: (any Span)?
        let until: ContinuousClock.Instant
    }

    private enum Outcome: Sendable {
        case answered(ServiceAnswer)
        case failed(ServiceClientError)
        /// Nothing was done for it; it goes by itself.
        case alone
        /// It is done, but calls others in turn: it goes by itself, and goes on there.
        case goesOnAlone
    }

    private struct State {
        var batchers: [Line: Batcher<Call, Outcome>] = [:]
        /// Until then the calls of a line go by themselves.
        var crowded: [Line: ContinuousClock.Instant] = [:]
        /// Until then the participant is not asked again whether it knows groups.
        var aloneUntil: ContinuousClock.Instant?
    }

    /// One with less time left would take the others' time away.
    private static let shortest = Duration.seconds(1)
    /// A group of the largest ones, their quotes escaped, still fits into one body.
    private static let longest = 4096
    private static let memory = Duration.seconds(60)
    /// One in so many is a good part.
    private static let crowd = 4
    private static let crowdMemory = Duration.milliseconds(500)
    private let client: ServiceClient
    private let state = Mutex(State())

    init(_ client: ServiceClient) { self.client = client }

    /// `POST /branches/<action>`, by itself or in a group.
    func send(
        _ action: String, _ json: [UInt8], headers: [String: String], timeout: Duration
    ) async throws(ServiceClientError) -> ServiceAnswer {
        do {
            return try await Spans.beneath(
                "call \(action)",
                attributes: {
                    .branch(
                        headers[BranchContext.xidHeader].flatMap(XID.init), action: action,
                        mode: headers[BranchContext.modeHeader])
                }
            ) { try await send(action, json, headers: headers, timeout: timeout, span: $0) }
        } catch let error as ServiceClientError {
            throw error
        } catch {
            throw .unavailable(reason: "\(error)", isUnsent: false)
        }
    }

    private func send(
        _ action: String, _ json: [UInt8], headers: [String: String], timeout: Duration, span: (any Span)?
    ) async throws(ServiceClientError) -> ServiceAnswer {
        let until = ContinuousClock.now + timeout
        var isDone = false
        if timeout > Self.shortest, json.count <= Self.longest,
            let mode = headers[BranchContext.modeHeader].flatMap(BranchMode.init),
            let batcher = batcher(Line(action: action, mode: mode))
        {
            let call = Call(
                request: String(decoding: json, as: UTF8.self),
                headers: headers, trace: TraceHeaders.current(), span: span, until: until)
            switch await outcome(of: call, in: batcher) {
            case .answered(let answer): return answer
            case .failed(let error): throw error
            case .alone: break
            case .goesOnAlone: isDone = true
            }
        }
        let left = until - .now
        guard left > .zero else { throw .timeout }
        guard isDone else {
            return try await client.send(.post, "/branches/\(action)", json: json, headers: headers, timeout: left)
        }
        let answer = try await client.send(
            .post, "/branches/\(action)", json: json,
            headers: headers.merging([BranchContext.againHeader: "true"]) { $1 }, timeout: left)
        // Whoever refuses it now has done it all the same.
        return answer.status < 300 || answer.header(BranchContext.rollbackHeader) != nil
            ? answer
            : ServiceAnswer(
                status: answer.status, headers: answer.headers + [(BranchContext.rollbackHeader, "true")],
                body: answer.body)
    }

    private func outcome(of call: Call, in batcher: Batcher<Call, Outcome>) async -> Outcome {
        do { return try await batcher.submit(call) } catch { return .failed(.overloaded) }
    }

    /// Nil while the participant is known not to take groups, or these calls better go by themselves.
    private func batcher(_ line: Line) -> Batcher<Call, Outcome>? {
        state.withLock { state in
            if let until = state.aloneUntil {
                guard .now >= until else { return nil }
                state.aloneUntil = nil
            }
            if let until = state.crowded[line] {
                guard .now >= until else { return nil }
                state.crowded[line] = nil
            }
            if let batcher = state.batchers[line] { return batcher }
            let batcher = Batcher<Call, Outcome>(
                limit: line.limit, patience: .milliseconds(20)
            ) { [weak self] calls in
                await self?.send(calls, in: line) ?? calls.map { _ in .alone }
            }
            state.batchers[line] = batcher
            return batcher
        }
    }

    private func send(_ calls: [Call], in line: Line) async -> [Outcome] {
        // It may wait for a row where it is: nobody else's answer waits for its own.
        if let only = calls.first, calls.count == 1 { return [await answer(to: only, of: line.action)] }
        let now = ContinuousClock.now
        let together = calls.filter { $0.until - now > Self.shortest }
        guard let first = together.map({ $0.until - now }).min() else { return calls.map { _ in .alone } }
        let outcomes = await BatchTrace(around: together.map(\.span), or: together.first?.trace).run {
            await self.answers(to: together, of: line.action, timeout: first)
        }
        let alone = outcomes.count { if case .alone = $0 { true } else { false } }
        if alone > 0, alone * Self.crowd >= together.count {
            state.withLock { $0.crowded[line] = .now + Self.crowdMemory }
        }
        var answers = outcomes[...]
        return calls.map { $0.until - now > Self.shortest ? answers.popFirst() ?? .alone : .alone }
    }

    private func answer(to call: Call, of action: String) async -> Outcome {
        await BatchTrace(around: [call.span], or: call.trace).run {
            do throws(ServiceClientError) {
                return .answered(
                    try await client.send(
                        .post, "/branches/\(action)", json: Array(call.request.utf8), headers: call.headers,
                        timeout: call.until - .now))
            } catch {
                return .failed(error)
            }
        }
    }

    private func answers(to calls: [Call], of action: String, timeout: Duration) async -> [Outcome] {
        let group = BranchGroup(
            calls: calls.map { .init(headers: $0.headers.merging($0.trace) { $1 }, request: $0.request) })
        do throws(ServiceClientError) {
            let answer = try await client.send(.post, "/branches/\(action)/group", group, timeout: timeout)
            switch answer.status {
            case 200..<300:
                let answers = try client.decode(answer, as: BranchGroupAnswer.self).answers
                guard answers.count == calls.count else {
                    throw .invalidAnswer("not one answer for each call of '\(action)'")
                }
                return answers.map(Self.outcome)
            case 404, 405:
                // It was written before there were groups, or in another way.
                state.withLock { $0.aloneUntil = .now + Self.memory }
                return calls.map { _ in .alone }
            default:
                return calls.map { _ in .answered(answer) }
            }
        } catch {
            return calls.map { _ in .failed(error) }
        }
    }

    private static func outcome(_ answer: BranchGroupAnswer.Answer) -> Outcome {
        let headers = [
            ("Retry-After", answer.retryAfter), (BranchContext.enlistedHeader, answer.enlisted),
            (BranchContext.rollbackHeader, answer.mustRollBack == true ? "true" : nil),
        ]
        let answered = ServiceAnswer(
            status: answer.status, headers: headers.compactMap { name, value in value.map { (name, $0) } },
            body: Array(answer.body.utf8))
        if answer.status >= 400, ServiceClient.error(answered).isProblem(BranchProblem.comeAlone) {
            return answer.isDone == true ? .goesOnAlone : .alone
        }
        return .answered(answered)
    }
}
