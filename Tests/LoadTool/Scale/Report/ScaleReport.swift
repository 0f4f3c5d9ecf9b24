/// All that was found at growing sizes.
struct ScaleReport: Codable, Sendable {
    struct Run: Codable, Sendable {
        let part: ScalePart
        /// How much of it there was.
        let what: String
        let row: BenchReport.Row
        /// Its course, where that is the point.
        var slices: Slices?
    }

    let machine: BenchReport.Machine
    var runs: [Run] = []
    var idle: IdleCost?
}
