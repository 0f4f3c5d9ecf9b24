import Testing

@testable import SettleServiceKit

@Suite("Traces: what is done about a batch")
struct ExportRulesTests {
    private func step(_ answer: ExportAnswer, attempt: Int = 1, mayWait: Bool = true) -> ExportStep {
        ExportStep(after: answer, attempt: attempt, mayWait: mayWait)
    }

    @Test("the collector has it, or never wants it")
    func final() {
        #expect(step(.status(200, retryAfter: nil)) == .done)
        for status in [400, 401, 404, 413, 500, 501] { #expect(step(.status(status, retryAfter: nil)) == .refused) }
    }

    @Test("what may be tried again is, later each time, or when the collector says", arguments: [429, 502, 503, 504])
    func again(status: Int) {
        #expect(step(.status(status, retryAfter: .seconds(7))) == .retry(after: .seconds(7)))
        #expect(step(.status(status, retryAfter: .seconds(86_400))) == .retry(after: ExportStep.longestWait))
        guard case .retry(let first) = step(.status(status, retryAfter: nil)),
            case .retry(let third) = step(.none, attempt: 3)
        else {
            Issue.record("not tried again")
            return
        }
        #expect(first <= .seconds(1))
        #expect(third > .seconds(1))
    }

    @Test("not for ever, and not when the process ends")
    func givenUp() {
        #expect(step(.none, attempt: ExportStep.attempts) == .givenUp)
        #expect(step(.none, mayWait: false) == .givenUp)
        #expect(step(.status(503, retryAfter: .seconds(1)), mayWait: false) == .givenUp)
    }
}
