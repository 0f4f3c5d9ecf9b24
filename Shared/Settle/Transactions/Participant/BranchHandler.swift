import Foundation
package import SettlePostgres

/// An action of a participant in one mode, with its types set aside: requests and answers are JSON texts.
public struct BranchHandler: Sendable {
    package typealias Perform = @Sendable (String, borrowing PostgresTransaction) throws -> String
    package typealias End = @Sendable ([String], borrowing PostgresTransaction) throws -> Void

    package let name: String
    package let mode: BranchMode
    package let perform: Perform
    /// Whether two requests ask for the same, however their JSON is written.
    package let isSame: @Sendable (String, String) throws -> Bool
    /// Nil where the mode itself ends the branch.
    package let commit: End?
    package let rollback: End?

    /// `action` under the triggers of its enrolled tables.
    public static func at(_ name: String, _ action: some LocalAction) -> BranchHandler {
        BranchHandler(name, .at, action.perform)
    }

    /// `action` as a prepared transaction.
    public static func xa(_ name: String, _ action: some LocalAction) -> BranchHandler {
        BranchHandler(name, .xa, action.perform)
    }

    /// `action` in three calls.
    public static func tcc(_ name: String, _ action: some TCCAction) -> BranchHandler {
        BranchHandler(name, .tcc, action.try, commit: erase(action.confirm), rollback: erase(action.cancel))
    }

    /// `action` with its compensation.
    public static func saga(_ name: String, _ action: some SagaAction) -> BranchHandler {
        BranchHandler(name, .saga, action.perform, rollback: erase(action.compensate))
    }

    private init<Request: Codable & Sendable, Answer: Codable & Sendable>(
        _ name: String, _ mode: BranchMode,
        _ perform: @escaping @Sendable (Request, borrowing PostgresTransaction) throws -> Answer,
        commit: End? = nil, rollback: End? = nil
    ) {
        self.name = name
        self.mode = mode
        self.perform = { request, transaction in
            String(decoding: try JSONEncoder().encode(try perform(Self.decode(request), transaction)), as: UTF8.self)
        }
        isSame = { one, other in
            let encoder = JSONEncoder()
            encoder.outputFormatting = .sortedKeys
            return try encoder.encode(Self.decode(one) as Request) == encoder.encode(Self.decode(other) as Request)
        }
        self.commit = commit
        self.rollback = rollback
    }

    private static func erase<Request: Codable & Sendable>(
        _ end: @escaping @Sendable ([Request], borrowing PostgresTransaction) throws -> Void
    ) -> End {
        { requests, transaction in try end(requests.map { try decode($0) }, transaction) }
    }

    private static func decode<Request: Decodable>(_ request: String) throws -> Request {
        try JSONDecoder().decode(Request.self, from: Data(request.utf8))
    }
}
