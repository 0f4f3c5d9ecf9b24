/// A message that its receiver cannot make sense of.
public struct UnreadableMessage: Error, Sendable, CustomStringConvertible {
    /// For an operator: what is wrong with it.
    public let description: String

    /// - Parameter description: what is wrong with it.
    public init(description: String) {
        self.description = description
    }
}
