/// How often the books are compared, and how patiently.
public struct ReconciliationSettings: Sendable {
    /// How often a run begins by itself; zero: only when it is asked for.
    public var interval: Duration = .seconds(3600)
    /// What is younger is not looked at: it may still be on its way. Longer than a global transaction may take, and than a
    /// task usually waits for its answer.
    public var settling: Duration = .seconds(15 * 60)
    /// What differs is looked at again after this long before it is a finding.
    public var secondLook: Duration = .seconds(1)

    /// How many ranges are compared at once.
    public static let maxRanges = 1000

    /// How long a run belongs to its process without a sign of life.
    var lease: Duration = .seconds(60)
    /// How many findings of a run are kept; beyond it they are counted.
    var maxFindings = 1000
    /// How many runs are kept.
    var maxRuns = 100
    /// A range that differs and holds more lines is divided before it is read.
    var maxLines = 2000
    /// How many keys are looked at again at once.
    var batchSize = 200
    /// What was mended less long ago, and is wrong again, is left to people.
    var mendedOnce: Duration = .seconds(24 * 3600)

    /// The defaults above.
    public init() {}
}
