import Foundation

/// What an action calls further, once its own part is done: other participants, under the same global transaction.
///
/// An action is synchronous inside a PostgreSQL transaction, so it cannot wait for another service. This comes after its local
/// transaction has committed and before its answer: parents before children, which is the order in which an initiator
/// calls too, and no connection is held meanwhile.
///
/// ```swift
/// .at("deduct", Deduction(), then: FurtherCalls(if: { $0.spend != nil }) { request, answer, calls in
///     try await calls.call("points", "spend", mode: .tcc, request.spend, as: Balance.self)
///     return answer
/// })
/// ```
///
/// The same request again (its answer was lost) finds its part done, and makes the calls again, under the same names; so
/// they must be the same ones, in the same order, or have a number each: see `BranchCaller.call`. If it throws, the
/// caller gets that error, and the global transaction can only be rolled back. So it does if a call failed and the error
/// was swallowed; only that a participant refused may be.
public struct FurtherCalls<Request: Sendable, Answer: Sendable>: Sendable {
    let isNeeded: @Sendable (Request) -> Bool
    let run: @Sendable (Request, Answer, BranchCalls) async throws -> Answer

    /// - Parameters:
    ///   - isNeeded: whether a request calls anybody. Those that do not lose nothing.
    ///   - run: makes the calls; given the request and what the action answered, it returns what is answered. The task's
    ///     context carries the transaction as well, for clients of your own that use it.
    public init(
        if isNeeded: @escaping @Sendable (Request) -> Bool = { _ in true },
        _ run: @escaping @Sendable (Request, Answer, BranchCalls) async throws -> Answer
    ) {
        self.isNeeded = isNeeded
        self.run = run
    }
}

/// The same with its types set aside.
struct ErasedFurtherCalls: Sendable {
    let isNeeded: @Sendable (String) -> Bool
    let run: @Sendable (String, String, BranchCalls) async throws -> String

    init<Request: Codable & Sendable, Answer: Codable & Sendable>(_ calls: FurtherCalls<Request, Answer>) {
        // What cannot be read is refused when it is tried.
        isNeeded = { text in (try? BranchHandler.decode(text) as Request).map(calls.isNeeded) ?? false }
        run = { request, answer, further in
            try BranchHandler.encode(
                try await calls.run(BranchHandler.decode(request), BranchHandler.decode(answer), further))
        }
    }
}
