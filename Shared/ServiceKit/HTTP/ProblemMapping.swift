/// How errors of the layers below become problems; the first mapping that knows an error decides.
public struct ProblemMapping: Sendable {
    let map: @Sendable (any Error) -> Problem?

    /// - Parameter map: `nil` for an error it does not know.
    public init(_ map: @escaping @Sendable (any Error) -> Problem?) { self.map = map }
}

extension [ProblemMapping] {
    /// A problem as it is, or what the first mapping that knows the error makes of it.
    package func problem(for error: any Error) -> Problem? {
        if let problem = error as? Problem { return problem }
        for mapping in self {
            if let problem = mapping.map(error) { return problem }
        }
        return nil
    }
}
