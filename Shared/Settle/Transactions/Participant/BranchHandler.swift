import Foundation
package import SettlePostgres

/// An action of a participant in one mode, with its types set aside: requests and answers are JSON texts.
public struct BranchHandler: Sendable {
    package typealias Perform = @Sendable (String, borrowing PostgresTransaction) throws -> String
    /// Of several requests at once; nil for one that is to be done alone.
    package typealias PerformGroup = @Sendable ([String], borrowing PostgresTransaction) throws -> [String?]
    package typealias End = @Sendable ([String], borrowing PostgresTransaction) throws -> Void

    package let name: String
    package let mode: BranchMode
    package let perform: Perform
    /// Nil where the action takes one request only.
    package let performGroup: PerformGroup?
    /// Whether two requests ask for the same, however their JSON is written.
    package let isSame: @Sendable (String, String) throws -> Bool
    /// The labels of the enrolled rows that a request will change, as far as they are known.
    let rows: @Sendable (String) -> [String]
    /// Nil where the mode itself ends the branch.
    package let commit: End?
    package let rollback: End?
    /// What the part is done at, where that is no database.
    let resource: ResourceHandler?
    /// What it calls further; nil: nobody.
    let further: ErasedFurtherCalls?

    /// `action` under the triggers of its enrolled tables.
    public static func at<Action: LocalAction>(
        _ name: String, _ action: Action, then further: FurtherCalls<Action.Request, Action.Answer>? = nil
    ) -> BranchHandler {
        BranchHandler(name, .at, action.perform, rows: action.rows(of:), then: further)
    }

    /// `action` as a prepared transaction.
    public static func xa<Action: LocalAction>(
        _ name: String, _ action: Action, then further: FurtherCalls<Action.Request, Action.Answer>? = nil
    ) -> BranchHandler {
        BranchHandler(name, .xa, action.perform, then: further)
    }

    /// `action` in three calls.
    public static func tcc<Action: TCCAction>(
        _ name: String, _ action: Action, then further: FurtherCalls<Action.Request, Action.Answer>? = nil
    ) -> BranchHandler {
        BranchHandler(
            name, .tcc, action.try, commit: erase(action.confirm), rollback: erase(action.cancel), then: further)
    }

    /// `action` in three calls; what comes at the same time is reserved together.
    public static func tcc<Action: TCCGroupAction>(
        _ name: String, _ action: Action, then further: FurtherCalls<Action.Request, Action.Answer>? = nil
    ) -> BranchHandler {
        let one = { @Sendable (request: Action.Request, transaction: borrowing PostgresTransaction) throws in
            try action.try(request, in: transaction)
        }
        let group = { @Sendable (requests: [Action.Request], transaction: borrowing PostgresTransaction) throws in
            try action.try(requests, in: transaction)
        }
        return BranchHandler(
            name, .tcc, one, group: group, commit: erase(action.confirm), rollback: erase(action.cancel), then: further)
    }

    /// `action` with its compensation.
    public static func saga<Action: SagaAction>(
        _ name: String, _ action: Action, then further: FurtherCalls<Action.Request, Action.Answer>? = nil
    ) -> BranchHandler {
        BranchHandler(name, .saga, action.perform, rollback: erase(action.compensate), then: further)
    }

    /// `action` with its compensation; what comes at the same time is done together.
    public static func saga<Action: SagaGroupAction>(
        _ name: String, _ action: Action, then further: FurtherCalls<Action.Request, Action.Answer>? = nil
    ) -> BranchHandler {
        let one = { @Sendable (request: Action.Request, transaction: borrowing PostgresTransaction) throws in
            try action.perform(request, in: transaction)
        }
        let group = { @Sendable (requests: [Action.Request], transaction: borrowing PostgresTransaction) throws in
            try action.perform(requests, in: transaction)
        }
        return BranchHandler(name, .saga, one, group: group, rollback: erase(action.compensate), then: further)
    }

    /// `action` at its resource.
    public static func mt<Action: MTAction>(
        _ name: String, _ action: Action, then further: FurtherCalls<Action.Request, Action.Answer>? = nil
    ) -> BranchHandler {
        mt(name, action, ResourceHandler(action), further)
    }

    /// `action` at its resource; what comes at the same time is done together.
    public static func mt<Action: MTGroupAction>(
        _ name: String, _ action: Action, then further: FurtherCalls<Action.Request, Action.Answer>? = nil
    ) -> BranchHandler {
        mt(name, action, ResourceHandler(group: action), further)
    }

    private static func mt<Action: MTAction>(
        _ name: String, _ action: Action, _ resource: ResourceHandler,
        _ further: FurtherCalls<Action.Request, Action.Answer>?
    ) -> BranchHandler {
        let nothing = { @Sendable (_: Action.Request, _: borrowing PostgresTransaction) throws -> Action.Answer in
            throw BranchError.unsupportedMode(.mt)
        }
        return BranchHandler(name, .mt, nothing, commit: erase(action.book), resource: resource, then: further)
    }

    private init<Request: Codable & Sendable, Answer: Codable & Sendable>(
        _ name: String, _ mode: BranchMode,
        _ perform: @escaping @Sendable (Request, borrowing PostgresTransaction) throws -> Answer,
        group: (@Sendable ([Request], borrowing PostgresTransaction) throws -> [Answer?])? = nil,
        rows: (@Sendable (Request) -> [EnrolledRow])? = nil,
        commit: End? = nil, rollback: End? = nil, resource: ResourceHandler? = nil,
        then further: FurtherCalls<Request, Answer>? = nil
    ) {
        self.resource = resource
        self.name = name
        self.mode = mode
        self.perform = { request, transaction in
            try Self.encode(try perform(Self.decode(request), transaction))
        }
        performGroup =
            if let group {
                { texts, transaction in try Self.each(texts, as: Request.self) { try group($0, transaction) } }
            } else {
                nil
            }
        isSame = { one, other in
            let encoder = JSONEncoder()
            encoder.outputFormatting = .sortedKeys
            return try encoder.encode(Self.decode(one) as Request) == encoder.encode(Self.decode(other) as Request)
        }
        self.rows = { text in
            // What cannot be read is refused when it is tried.
            guard let rows, let request = try? Self.decode(text) as Request else { return [] }
            return rows(request).map(\.label)
        }
        self.commit = commit
        self.rollback = rollback
        self.further = further.map(ErasedFurtherCalls.init)
    }

    private static func erase<Request: Codable & Sendable>(
        _ end: @escaping @Sendable ([Request], borrowing PostgresTransaction) throws -> Void
    ) -> End {
        { requests, transaction in try end(requests.map { try decode($0) }, transaction) }
    }

    /// What `group` answers to those requests that can be read; the others are told so alone.
    private static func each<Request: Decodable, Answer: Encodable>(
        _ texts: [String], as type: Request.Type, _ group: ([Request]) throws -> [Answer?]
    ) throws -> [String?] {
        let readable = texts.enumerated().compactMap { index, text in
            (try? decode(text) as Request).map { (index: index, request: $0) }
        }
        let done = try group(readable.map(\.request))
        precondition(done.count == readable.count, "one answer, or none, for each request")
        var answers = [String?](repeating: nil, count: texts.count)
        for (request, answer) in zip(readable, done) { answers[request.index] = try answer.map { try encode($0) } }
        return answers
    }

    static func encode(_ answer: some Encodable) throws -> String {
        String(decoding: try JSONEncoder().encode(answer), as: UTF8.self)
    }

    static func decode<Request: Decodable>(_ request: String) throws -> Request {
        try JSONDecoder().decode(Request.self, from: Data(request.utf8))
    }
}
