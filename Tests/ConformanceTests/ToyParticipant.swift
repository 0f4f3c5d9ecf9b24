import AsyncHTTPClient
import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import NIOHTTP1
import SettleHTTPTestSupport
import SettleTestSupport
import Synchronization

/// A participant written from docs/wire-protocol.md alone, in memory: it takes amounts from a balance. Or one that
/// breaks a rule of that page.
final class ToyParticipant: Sendable {
    enum Fault: String, CaseIterable, Sendable {
        case takesAnyToken, takesAnyHead, takesAnyInitiator, takesAnyMode, takesAnyBody, plainErrors,
            refusesUnknownFields
        case doesCopies, doesCopiesAfterCommit, answersCopiesOtherwise, takesOtherRequests, keepsRefused
        case forgetsEmptyRollbacks, performsAfterRollback, unknownIs404, unknownCommitIsRolledBack, takesManyXIDs
        case undoesTwice, leavesSomething, changesItsMind, leavesOutUnknown, listsNothing
        case neverAsks, alwaysForGood, asksWithoutToken, guessesOnUndecided, guessesOnErrors, commitsAborted
    }

    private struct Request: Decodable {
        let id: String
        let amount: Int
    }

    private struct Branch {
        enum State: String { case undecided, committed, rolledBack }
        var state: State
        var body = ""
        var answer = ""
        var amount = 0
        var deadline = ContinuousClock.now
        var askAt = ContinuousClock.now
    }

    private struct Store {
        var balance = 1000
        var branches: [String: Branch] = [:]
    }

    private struct Failure: Error {
        let status: HTTPResponse.Status
        let code: String
    }

    static let token = "toy-token-0123456789"
    private let fault: Fault?
    private let initiatorURL: String
    private let store = Mutex(Store())

    init(_ fault: Fault?, initiatorURL: String) {
        self.fault = fault
        self.initiatorURL = initiatorURL
    }

    /// Serves on `port` as long as `body` runs.
    func serving(port: Int, _ body: () async throws -> Void) async throws {
        let router = Router()
        addRoutes(router)
        let (started, starts) = AsyncStream.makeStream(of: Void.self)
        let application = Application(
            router: router, configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: port)),
            onServerRunning: { _ in starts.finish() }, logger: quiet)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await application.run() }
            group.addTask { await self.checkBack() }
            defer { group.cancelAll() }
            for await _ in started {}
            try await body()
        }
    }

    private func addRoutes(_ router: Router<BasicRequestContext>) {
        router.get("balance") { _, _ in Self.json(#"{"balance": \#(self.store.withLock { $0.balance })}"#) }
        router.get("transactions") { request, _ in
            self.answer(request) {
                let open = self.store.withLock { $0.branches.filter { $0.value.state == .undecided }.keys }
                let list = (self.fault == .listsNothing ? [] : Array(open)).map {
                    #"{"xid": "\#($0)", "mode": "tcc", "state": "undecided", "createdAt": "2026-01-01T00:00:00Z"}"#
                }
                return #"{"branches": [\#(list.joined(separator: ", "))]}"#
            }
        }
        router.post("branches/take") { request, _ in
            let body = String(buffer: try await request.body.collect(upTo: 1 << 20))
            return self.answer(request) { try self.perform(request.headers, body) }
        }
        for verdict in [Branch.State.committed, .rolledBack] {
            router.post("transactions/\(verdict == .committed ? "commit" : "rollback")") { request, _ in
                let body = String(buffer: try await request.body.collect(upTo: 1 << 20))
                return self.answer(request) {
                    let outcomes = try self.end(try self.xids(request.headers, body), verdict)
                    return #"{"outcomes": {\#(outcomes.map { #""\#($0)": "\#($1)""# }.joined(separator: ", "))}}"#
                }
            }
        }
    }

    // MARK: HTTP

    private static func json(_ text: String, status: HTTPResponse.Status = .ok, type: String = "application/json")
        -> Response
    {
        Response(
            status: status, headers: [.contentType: type], body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }

    private func answer(_ request: Hummingbird.Request, _ body: () throws -> String) -> Response {
        do {
            guard fault == .takesAnyToken || request.headers[.authorization] == "Bearer \(Self.token)" else {
                throw Failure(status: .unauthorized, code: "unauthorized")
            }
            return Self.json(try body())
        } catch let failure as Failure {
            guard fault != .plainErrors else { return Response(status: failure.status) }
            return Self.json(
                #"{"type": "urn:toy/\#(failure.code)", "title": "No", "status": \#(failure.status.code)}"#,
                status: failure.status, type: "application/problem+json")
        } catch {
            return Response(status: .internalServerError)
        }
    }

    private func xids(_ headers: HTTPFields, _ body: String) throws -> [String] {
        struct XIDs: Decodable { let xids: [String] }
        if fault == .takesAnyBody, !body.contains("conformance") { return [] }
        if fault == .refusesUnknownFields, body.contains("more") { throw Failure(status: .badRequest, code: "no") }
        guard headers[.contentType] == "application/json",
            let xids = try? JSONDecoder().decode(XIDs.self, from: Data(body.utf8)).xids
        else { throw Failure(status: .unprocessableContent, code: "body") }
        guard (xids.count <= 1000 || fault == .takesManyXIDs), xids.allSatisfy(Self.isXID) else {
            throw Failure(status: .unprocessableContent, code: "xids")
        }
        return xids
    }

    private static func isXID(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") }
    }

    // MARK: The phases

    private func perform(_ headers: HTTPFields, _ body: String) throws -> String {
        func header(_ name: String) -> String? { HTTPField.Name(name).flatMap { headers[$0] } }
        let left = header("Settle-Deadline").map { Int($0) ?? -1 } ?? 10_000
        let mode = header("Settle-Mode") ?? ""
        guard let xid = header("Settle-XID"),
            let initiator = header("Settle-Initiator-Name") ?? header("Settle-Initiator"),
            fault == .takesAnyHead
                || Self.isXID(xid) && ["at", "tcc", "xa", "saga"].contains(mode)
                    && (1...90).contains(initiator.utf8.count) && left >= 0
        else { throw Failure(status: .badRequest, code: "head") }
        guard initiator == "conformance" || fault == .takesAnyInitiator else {
            throw Failure(status: .unprocessableContent, code: "unknown-initiator")
        }
        guard ["tcc", "saga"].contains(mode) || fault == .takesAnyMode else {
            throw Failure(status: .unprocessableContent, code: "mode")
        }
        guard let request = try? JSONDecoder().decode(Request.self, from: Data(body.utf8)) else {
            throw Failure(status: .badRequest, code: "body")
        }
        return try store.withLock { store in
            if let known = store.branches[xid] {
                if known.state == .rolledBack, fault != .performsAfterRollback {
                    throw Failure(status: .conflict, code: "transaction-over")
                }
                if known.state != .rolledBack, known.body != body, fault != .takesOtherRequests {
                    throw Failure(status: .conflict, code: "transaction-used")
                }
                let doesAgain =
                    fault == .doesCopies && known.state == .undecided
                    || fault == .doesCopiesAfterCommit && known.state == .committed
                if known.state != .rolledBack, !doesAgain {
                    return fault == .answersCopiesOtherwise ? #"{"left": -1}"# : known.answer
                }
            }
            guard request.amount <= 100 else {
                if fault == .keepsRefused { store.balance -= 1 }
                throw Failure(status: .conflict, code: "insufficient")
            }
            store.balance -= request.amount
            let answer = #"{"left": \#(store.balance)}"#
            store.branches[xid] = Branch(
                state: .undecided, body: body, answer: answer, amount: request.amount,
                deadline: .now + .milliseconds(left), askAt: .now + .milliseconds(50))
            return answer
        }
    }

    private func end(_ xids: [String], _ verdict: Branch.State) throws -> [(String, String)] {
        try store.withLock { store in
            var outcomes: [(String, String)] = []
            for xid in Set(xids) {
                guard var branch = store.branches[xid] else {
                    if fault == .unknownIs404 { throw Failure(status: .notFound, code: "unknown") }
                    if verdict == .rolledBack, fault != .forgetsEmptyRollbacks {
                        store.branches[xid] = Branch(state: .rolledBack)
                    }
                    let outcome = fault == .unknownCommitIsRolledBack ? .rolledBack : verdict
                    if fault != .leavesOutUnknown || xids.count == 1 { outcomes.append((xid, outcome.rawValue)) }
                    continue
                }
                let undoes = verdict == .rolledBack && (branch.state == .undecided || fault == .undoesTwice)
                if undoes { store.balance += fault == .leavesSomething ? branch.amount - 1 : branch.amount }
                if branch.state == .undecided || fault == .changesItsMind { branch.state = verdict }
                store.branches[xid] = branch
                outcomes.append((xid, branch.state.rawValue))
            }
            return outcomes
        }
    }

    // MARK: Check-back

    private func checkBack() async {
        while !Task.isCancelled, fault != .neverAsks {
            let due = store.withLock { store in
                store.branches.filter { $0.value.state == .undecided && $0.value.askAt <= .now }
            }
            for (xid, branch) in due { await ask(xid, branch) }
            // Only cancellation ends it early, and then the loop ends.
            try? await Task.sleep(for: .milliseconds(10))
        }
    }

    private func ask(_ xid: String, _ branch: Branch) async {
        struct Outcomes: Decodable { let outcomes: [String: String] }
        let onlyRead = branch.deadline > .now && fault != .alwaysForGood
        var request = HTTPClientRequest(url: initiatorURL + "/transactions/outcomes")
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        if fault != .asksWithoutToken { request.headers.add(name: "Authorization", value: "Bearer \(Self.token)") }
        request.body = .bytes(
            ByteBuffer(string: onlyRead ? #"{"xids": ["\#(xid)"], "onlyRead": true}"# : #"{"xids": ["\#(xid)"]}"#))
        var word: String?
        if let response = try? await HTTPClient.shared.execute(request, timeout: .seconds(5)),
            let body = try? await response.body.collect(upTo: 1 << 20), response.status == .ok
        {
            word = (try? JSONDecoder().decode(Outcomes.self, from: Data(buffer: body)))?.outcomes[xid]
            if word == "undecided", fault == .guessesOnUndecided { word = "abort" }
        } else if fault == .guessesOnErrors {
            word = "abort"
        }
        switch word {
        case "commit": _ = try? end([xid], .committed)
        case "abort": _ = try? end([xid], fault == .commitsAborted ? .committed : .rolledBack)
        default: store.withLock { $0.branches[xid]?.askAt = .now + .milliseconds(50) }
        }
    }
}

extension Data {
    init(buffer: ByteBuffer) { self.init(buffer.readableBytesView) }
}
