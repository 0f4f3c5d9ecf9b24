extension Duration {
    /// Whole milliseconds, as the SQL of this module takes its intervals.
    var milliseconds: Int {
        Int(components.seconds) * 1000 + Int(components.attoseconds / 1_000_000_000_000_000)
    }
}
