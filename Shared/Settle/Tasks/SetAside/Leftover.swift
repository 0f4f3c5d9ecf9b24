/// A message of a batch that could not be handled, though its neighbours were.
struct Leftover: Sendable, Equatable {
    enum Fate: Sendable, Equatable {
        /// A row that it needs is held: it waits.
        case held
        /// It was not tried, for the time that its batch may take was over.
        case untried
        /// It failed, and nobody knows whether that will pass: it is tried a limited number of times.
        case failed
        /// Nobody can ever make sense of it.
        case dead
    }

    /// Its place in the batch.
    let index: Int
    let fate: Fate
    /// For an operator; no server's words.
    let reason: String
}
