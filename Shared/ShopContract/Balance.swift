/// What user-points answers when points were spent.
public struct Balance: Codable, Sendable {
    /// What is left.
    public let points: Int64

    /// So many are left.
    public init(points: Int64) {
        self.points = points
    }
}
