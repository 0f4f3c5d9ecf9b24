import Foundation
import HTTPTypes
import Hummingbird
import SettleHTTPTestSupport
import SettleServiceKit
import SettleTestSupport
import Synchronization
import Testing

@testable import SettleHTTP

@Suite("Calls of branches travel together", .timeLimit(.minutes(1)))
struct BranchGroupsTests {
    /// What a participant was asked.
    private final class Asked: Sendable {
        private let state = Mutex((groups: [Int](), alone: 0))
        var groups: [Int] { state.withLock { $0.groups } }
        var alone: Int { state.withLock { $0.alone } }
        func inGroup(_ count: Int) { state.withLock { $0.groups.append(count) } }
        func byItself() { state.withLock { $0.alone += 1 } }
    }

    private struct Request: Codable { let number: Int }

    /// A participant that answers with the number that it was asked for, and `group` to calls in a group.
    private func with(
        _ asked: Asked, group: (@Sendable (Int) -> BranchGroupAnswer.Answer)?,
        _ body: (BranchGroups) async throws -> Void
    ) async throws {
        try await LiveService.run(more: { routes in
            routes.post("branches/take") { request, context in
                asked.byItself()
                // Others come meanwhile.
                try await Task.sleep(for: .milliseconds(15))
                return try Response.json(try await requireJSON(Request.self, from: request, context: context))
            }
            guard let group else { return }
            routes.post("branches/take/group") { request, context in
                let calls = try await requireJSON(BranchGroup.self, from: request, context: context).calls
                asked.inGroup(calls.count)
                // Others come meanwhile.
                try await Task.sleep(for: .milliseconds(20))
                let numbers = try calls.map {
                    try JSONDecoder().decode(Request.self, from: Data($0.request.utf8)).number
                }
                return try Response.json(BranchGroupAnswer(answers: numbers.map(group)))
            }
        }) { url, outbound, _ in
            try await body(
                BranchGroups(ServiceClient("test", baseURL: url, token: TestService.token, over: outbound)))
        }
    }

    private func done(_ number: Int) -> BranchGroupAnswer.Answer {
        .init(status: 200, body: #"{"number":\#(number)}"#, retryAfter: nil)
    }

    private func ask(
        _ groups: BranchGroups, _ number: Int, timeout: Duration = .seconds(5), padding: Int = 0
    ) async throws -> ServiceAnswer {
        let json = #"{"number":\#(number)}"# + String(repeating: " ", count: padding)
        return try await groups.send("take", Array(json.utf8), headers: ["Settle-Mode": "tcc"], timeout: timeout)
    }

    private func expect(
        _ expected: Int, _ groups: BranchGroups, _ number: Int, timeout: Duration = .seconds(5), padding: Int = 0
    ) async throws {
        let answer = try self.number(try await ask(groups, number, timeout: timeout, padding: padding))
        #expect(answer == expected)
    }

    private func number(_ answer: ServiceAnswer) throws -> Int {
        try JSONDecoder().decode(Request.self, from: Data(answer.body)).number
    }

    @Test("a lone call leaves at once, by itself; those that come meanwhile go together, and each gets its own answer")
    func together() async throws {
        let asked = Asked()
        try await with(asked, group: done) { groups in
            try await expect(7, groups, 7)
            #expect(asked.groups == [] && asked.alone == 1)
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                for number in 0..<100 {
                    tasks.addTask { try await expect(number, groups, number) }
                }
                try await tasks.waitForAll()
            }
            #expect(asked.groups.reduce(0, +) + asked.alone == 101)
            #expect(asked.groups.count + asked.alone < 20, "\(asked.groups) \(asked.alone)")
        }
    }

    @Test("one that is told to come alone does so; a refusal is one call's own")
    func alone() async throws {
        let asked = Asked()
        let answer: @Sendable (Int) -> BranchGroupAnswer.Answer = { number in
            switch number {
            case 1: .init(status: 425, body: #"{"type":"urn:settle:problems/come-alone"}"#, retryAfter: nil)
            case 2: .init(status: 409, body: #"{"type":"urn:settle:problems/sold-out"}"#, retryAfter: "3")
            default: done(number)
            }
        }
        try await with(asked, group: answer) { groups in
            async let ahead = ask(groups, 0)
            while asked.alone < 1 { try await Task.sleep(for: .milliseconds(1)) }
            async let first = ask(groups, 1)
            async let second = ask(groups, 2)
            async let third = ask(groups, 3)
            let (one, two, three) = (try await first, try await second, try await third)
            #expect(try number(await ahead) == 0)
            #expect(try number(one) == 1)
            let refused = ServiceClient.error(two)
            #expect(refused.isProblem("sold-out") && refused.isRefusal)
            #expect(two.header("Retry-After") == "3")
            #expect(try number(three) == 3)
            #expect(asked.groups.reduce(0, +) == 3 && asked.alone == 2)
        }
    }

    @Test("a participant that knows no groups is called one by one, and asked about groups once")
    func unknown() async throws {
        let asked = Asked()
        try await with(asked, group: nil) { groups in
            for _ in 0..<2 {
                try await withThrowingTaskGroup(of: Void.self) { tasks in
                    for number in 0..<5 { tasks.addTask { try await expect(number, groups, number) } }
                    try await tasks.waitForAll()
                }
            }
            #expect(asked.alone == 10)
        }
    }

    @Test("what is long, or has little time left, goes by itself")
    func byItself() async throws {
        let asked = Asked()
        try await with(asked, group: done) { groups in
            try await expect(1, groups, 1, padding: 5000)
            #expect(try number(try await ask(groups, 2, timeout: .milliseconds(900))) == 2)
            #expect(asked.groups == [] && asked.alone == 2)
        }
    }

    @Test("too few answers are none: what was done is not known")
    func tooFew() async throws {
        try await LiveService.run(more: { routes in
            routes.post("branches/take/group") { _, _ in try Response.json(BranchGroupAnswer(answers: [])) }
            routes.post("branches/take") { _, _ in
                // Others come meanwhile.
                try await Task.sleep(for: .milliseconds(15))
                return try Response.json(Request(number: 0))
            }
        }) { url, outbound, _ in
            let groups = BranchGroups(ServiceClient("test", baseURL: url, token: TestService.token, over: outbound))
            let errors = await withTaskGroup { tasks in
                for number in 0..<3 {
                    tasks.addTask { () -> ServiceClientError? in
                        do { _ = try await ask(groups, number) } catch { return error as? ServiceClientError }
                        return nil
                    }
                }
                return await tasks.reduce(into: [ServiceClientError]()) { if let error = $1 { $0.append(error) } }
            }
            // One may have gone by itself.
            let tooFew = ServiceClientError.invalidAnswer("not one answer for each call of 'take'")
            #expect(errors.count >= 2 && errors.allSatisfy { $0 == tooFew }, "\(errors)")
        }
    }

    @Test("a participant that is away is no refusal")
    func away() async throws {
        try await LiveService.run { _, outbound, _ in
            let groups = BranchGroups(
                ServiceClient("test", baseURL: "http://127.0.0.1:\(try Ports.take())", token: nil, over: outbound))
            do {
                _ = try await ask(groups, 1)
                Issue.record("nobody answers")
            } catch {
                let error = try #require(error as? ServiceClientError)
                #expect(!error.isRefusal)
            }
        }
    }
}
