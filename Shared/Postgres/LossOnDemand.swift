/// Connections that are lost on demand, at a commit: what a test cannot have a network do at the right moment.
package struct LossOnDemand: Sendable {
    /// Where it may be lost.
    package enum Moment: Sendable {
        /// All statements of the transaction are done, its COMMIT is not sent. (Of a statement on its own: it is not sent.)
        case beforeCommit
        /// It is committed, and the answer does not arrive.
        case afterCommit
    }

    private let isLost: @Sendable (Moment) -> Bool

    /// - Parameter isLost: asked on the connection's thread, at each commit; may block.
    package init(_ isLost: @escaping @Sendable (Moment) -> Bool) {
        self.isLost = isLost
    }

    func reach(_ moment: Moment) throws(PostgresError) {
        guard isLost(moment) else { return }
        throw PostgresError(
            moment == .beforeCommit ? .connectionLost : .commitUnknown, "the connection was lost, as a test wanted")
    }
}
