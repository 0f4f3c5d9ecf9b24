/// How errors of the layers below become problems; the first mapping that knows an error decides.
public struct ProblemMapping: Sendable {
    let map: @Sendable (any Error) -> Problem?

    /// - Parameter map: `nil` for an error it does not know.
    public init(_ map: @escaping @Sendable (any Error) -> Problem?) { self.map = map }
}
