import Testing

/// The proof, on real processes and real servers: whatever dies, the three databases agree in the end.
///
/// Everything is inside this one serialized suite, since its tests stop and kill the servers that they share.
@Suite("Proof", .serialized, .enabled(if: Testbed.current != nil), FailureLog.trait)
enum Proof {}
