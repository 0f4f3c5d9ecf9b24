import Foundation
import Postgres

/// An action of a participant in one mode, with its types set aside: requests and answers are JSON texts.
public struct BranchHandler: Sendable {
    typealias Perform = @Sendable (String, borrowing PostgresTransaction) throws -> String
    typealias End = @Sendable ([String], borrowing PostgresTransaction) throws -> Void

    let name: String
    let mode: BranchMode
    let perform: Perform
    /// Nil where the mode itself ends the branch.
    let commit: End?
    let rollback: End?

    /// `action` under the triggers of its enrolled tables.
    public static func at(_ name: String, _ action: some LocalAction) -> BranchHandler {
        BranchHandler(name: name, mode: .at, perform: erase(action.perform), commit: nil, rollback: nil)
    }

    /// `action` as a prepared transaction.
    public static func xa(_ name: String, _ action: some LocalAction) -> BranchHandler {
        BranchHandler(name: name, mode: .xa, perform: erase(action.perform), commit: nil, rollback: nil)
    }

    /// `action` in three calls.
    public static func tcc(_ name: String, _ action: some TCCAction) -> BranchHandler {
        BranchHandler(
            name: name, mode: .tcc, perform: erase(action.try), commit: erase(action.confirm),
            rollback: erase(action.cancel))
    }

    /// `action` with its compensation.
    public static func saga(_ name: String, _ action: some SagaAction) -> BranchHandler {
        BranchHandler(
            name: name, mode: .saga, perform: erase(action.perform), commit: nil, rollback: erase(action.compensate))
    }

    private static func erase<Request: Codable & Sendable, Answer: Codable & Sendable>(
        _ perform: @escaping @Sendable (Request, borrowing PostgresTransaction) throws -> Answer
    ) -> Perform {
        { request, transaction in
            let request = try JSONDecoder().decode(Request.self, from: Data(request.utf8))
            return String(decoding: try JSONEncoder().encode(try perform(request, transaction)), as: UTF8.self)
        }
    }

    private static func erase<Request: Codable & Sendable>(
        _ end: @escaping @Sendable ([Request], borrowing PostgresTransaction) throws -> Void
    ) -> End {
        { requests, transaction in
            let decoder = JSONDecoder()
            try end(requests.map { try decoder.decode(Request.self, from: Data($0.utf8)) }, transaction)
        }
    }
}
