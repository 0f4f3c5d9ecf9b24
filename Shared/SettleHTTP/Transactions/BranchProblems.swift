import HTTPTypes
import Logging
import Settle
import SettleServiceKit

/// How a branch's failure is answered.
struct BranchProblems {
    let action: String
    let logger: Logger

    /// - Parameter namesBranch: whether the request named its branch. Whoever does knows what "must roll back" means; one that
    ///   does not would take any 4xx for a refusal.
    func problem(for error: any Error, namesBranch: Bool) -> Problem {
        guard let failed = error as? BranchFailed else { return problem(for: error) }
        var problem = below(failed.error)
        if !namesBranch { problem = .unavailable("what this calls further failed") }
        problem.headers[settle: BranchContext.rollbackHeader] = "true"
        problem.headers[settle: BranchContext.enlistedHeader] =
            failed.enlisted.isEmpty ? nil : failed.enlisted.joined(separator: ",")
        return problem
    }

    private func problem(for error: any Error) -> Problem {
        if let known = [ProblemMapping.branches, .transactions, .postgres].problem(for: error) { return known }
        if error is CancellationError { return .unavailable("the service is stopping") }
        logger.error("branch failed", metadata: ["action": "\(action)", "error": "\(error)"])
        return .internalError
    }

    /// What another participant said, in its own words.
    private func below(_ error: any Error) -> Problem {
        guard let error = error as? ServiceClientError else { return problem(for: error) }
        guard case .status(let status, let type?, let detail, let retryAfter) = error,
            let code = type.split(separator: "/").last, (400..<600).contains(status), status != 401
        else {
            return .unavailable("a service that is needed is away")
        }
        return Problem(
            .init(code: status), code: String(code),
            title: code.prefix(1).uppercased() + code.dropFirst().replacing("-", with: " "), detail: detail,
            retryAfter: retryAfter)
    }
}

extension BranchAnswer {
    /// Nil when nobody was called in turn.
    var enlistedHeader: String? { enlisted.isEmpty ? nil : enlisted.joined(separator: ",") }
}

extension HTTPFields {
    /// The header of that name, one of those of `BranchContext`.
    subscript(settle name: String) -> String? {
        get { HTTPField.Name(name).flatMap { self[$0] } }
        set { if let name = HTTPField.Name(name) { self[name] = newValue } }
    }
}
