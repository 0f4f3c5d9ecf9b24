/// What one check found out.
public struct ConformanceResult: Sendable, Equatable, CustomStringConvertible {
    /// How it ended.
    public enum Verdict: Sendable, Equatable {
        /// The rule is kept, as far as this check can see.
        case ok
        /// It is broken: what was expected, and what came.
        case failed(String)
        /// It could not be asked, for the reason given.
        case skipped(String)
    }

    /// The id of the rule in docs/wire-protocol.md, such as `P4`.
    public let rule: String
    /// What was checked; begins with the mode where that matters.
    public let name: String
    /// How it ended.
    public let verdict: Verdict

    /// Whether the rule was seen to be broken.
    public var isFailure: Bool { if case .failed = verdict { true } else { false } }

    /// One line; two for a failure.
    public var description: String {
        switch verdict {
        case .ok: "ok   \(rule) \(name)"
        case .failed(let why): "FAIL \(rule) \(name)\n     \(why)"
        case .skipped(let why): "skip \(rule) \(name) (\(why))"
        }
    }
}

/// A question to the service, and the rule that it is about.
struct ConformanceCheck<Bed: Sendable>: Sendable {
    let rule: String
    let name: String
    /// Throws `Unmet` when the rule is broken, `Skipped` when it cannot be asked.
    let body: @Sendable (Bed) async throws -> Void

    init(_ rule: String, _ name: String, _ body: @escaping @Sendable (Bed) async throws -> Void) {
        self.rule = rule
        self.name = name
        self.body = body
    }

    func run(_ bed: Bed) async -> ConformanceResult {
        do {
            try await body(bed)
            return ConformanceResult(rule: rule, name: name, verdict: .ok)
        } catch let skipped as Skipped {
            return ConformanceResult(rule: rule, name: name, verdict: .skipped(skipped.reason))
        } catch {
            return ConformanceResult(rule: rule, name: name, verdict: .failed("\(error)"))
        }
    }
}

/// A rule that was broken.
struct Unmet: Error, CustomStringConvertible {
    let description: String

    init(expected: String, got: String) { description = "expected: \(expected)\n     got: \(got)" }
}

/// A rule that could not be asked about.
struct Skipped: Error {
    let reason: String
}
