/// So much waits in a ``Batcher`` that it takes no more: nothing was done, and trying again later may succeed.
public struct BatcherFull: Error, Sendable, Equatable {
    /// For a batcher to throw, and for tests of what is made of it.
    public init() {}
}
