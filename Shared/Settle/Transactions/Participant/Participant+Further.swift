public import Foundation
import ServiceContextModule

/// What a participant answers to a request.
public struct BranchAnswer: Sendable, Equatable {
    /// As JSON.
    public let body: Data
    /// Who was called in turn.
    public let enlisted: [String]

    init(body: Data, enlisted: [String] = []) {
        self.body = body
        self.enlisted = enlisted
    }
}

extension Participant {
    /// Does the action called `name` under the global transaction of `context`, and what it calls further.
    ///
    /// The same request again gets the same answer and does nothing; what it calls further is called again, to the same
    /// effect.
    /// - Throws: `BranchRefusal` when the business says no, `BranchError`, or what the database throws. In all cases but
    ///   a lost connection nothing was done, and then the rollback that follows undoes it. `BranchFailed`: the part is
    ///   done, and only what it calls further failed.
    public func perform(_ name: String, request: Data, context: BranchContext) async throws -> BranchAnswer {
        try await answer(name, BranchRequest(body: request, context: context), isAlone: true)
    }

    func answer(_ name: String, _ asked: BranchRequest, isAlone: Bool) async throws -> BranchAnswer {
        let before = asked.context.isAgain ? try await answerBefore(name, asked) : nil
        let part =
            if let before { Data(before.utf8) } else { try await perform(name, asked, isAlone: isAlone) }
        guard let further = further(name, asked), further.isNeeded(asked.text) else { return BranchAnswer(body: part) }
        return try await goOn(further, asked, part)
    }

    /// Whether a request calls other participants in turn.
    func callsFurther(_ name: String, _ asked: BranchRequest) -> Bool {
        further(name, asked)?.isNeeded(asked.text) ?? false
    }

    private func further(_ name: String, _ asked: BranchRequest) -> ErasedFurtherCalls? {
        handlers[Key(name: name, mode: asked.context.mode)]?.further
    }

    /// Spares one that says it was answered before the attempt to do it again. What is not as it should be is left to that.
    private func answerBefore(_ name: String, _ asked: BranchRequest) async throws -> String? {
        let context = asked.context
        guard let handler = handlers[Key(name: name, mode: context.mode)],
            let before = try await BranchStore.find(context.xid, context.branch, in: database),
            Optional(before.state).onRequest == .answerAgain, before.action == name, before.mode == context.mode,
            try handler.isSame(before.request, asked.text)
        else { return nil }
        return before.answer
    }

    private func goOn(
        _ further: ErasedFurtherCalls, _ asked: BranchRequest, _ part: Data
    ) async throws -> BranchAnswer {
        let caller = BranchCaller(asked.context, standard: settings.deadline)
        var context = ServiceContext.current ?? .topLevel
        context.branchCaller = caller
        do {
            try failpoints.reach("branch.beforeChildren")
            let answer = try await ServiceContext.withValue(context) {
                try await further.run(
                    asked.text, String(decoding: part, as: UTF8.self), BranchCalls(caller, over: transport))
            }
            // Whatever was made of the error.
            if let doom = caller.doom { throw doom }
            try failpoints.reach("branch.afterChildren")
            return BranchAnswer(body: Data(answer.utf8), enlisted: caller.participants)
        } catch {
            throw BranchFailed(error, enlisted: caller.participants)
        }
    }
}
