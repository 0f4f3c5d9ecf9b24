@testable import Settle

/// What can happen in a `World`. Each does all that its process would do without interruption; where the process can die
/// in between, there is an event for each half.
enum Event: Hashable, Sendable, CustomStringConvertible {
    /// The initiator sends its request.
    case send(Int)
    /// A copy of the request arrives, the first, another or a late one; its answer may be lost.
    case request(Int, answerArrives: Bool)
    /// The initiator gives up before it has decided: a participant said no, or nothing at all.
    case giveUp
    /// Its local transaction, with everything and the decision in it, reaches the database.
    case insertDecision
    /// The database commits it; word of that may be lost.
    case commitDecision(wordArrives: Bool)
    /// The database rolls it back: a cut connection, a crash of the server.
    case loseDecision
    /// The initiator, without word of its commit, finds out what became of it.
    case findOut
    /// Phase 2, told by whoever: the process that decided, a replica's scan, a late copy.
    case tellCommit(Int)
    case tellRollback(Int)
    /// The same, and the participant dies after PostgreSQL has ended what was prepared and before it has done the rest.
    case tellAndDie(Int, commit: Bool)
    /// A participant asks; the answer may be lost.
    case checkBack(Int, answerArrives: Bool)
    case crashInitiator
    case restartInitiator
    case crash(Int)
    case restart(Int)

    var description: String {
        switch self {
        case .send(let n): "send request \(n)"
        case .request(let n, true): "request \(n) arrives, and its answer"
        case .request(let n, false): "request \(n) arrives, its answer is lost"
        case .giveUp: "the initiator gives up"
        case .insertDecision: "the decision is inserted"
        case .commitDecision(true): "the decision is committed"
        case .commitDecision(false): "the decision is committed, word of it is lost"
        case .loseDecision: "the decision is rolled back by the database"
        case .findOut: "the initiator finds out"
        case .tellCommit(let n): "commit arrives at \(n)"
        case .tellRollback(let n): "rollback arrives at \(n)"
        case .tellAndDie(let n, let commit): "\(commit ? "commit" : "rollback") arrives at \(n), which dies half-way"
        case .checkBack(let n, true): "\(n) checks back"
        case .checkBack(let n, false): "\(n) checks back, the answer is lost"
        case .crashInitiator: "the initiator crashes"
        case .restartInitiator: "the initiator is started again"
        case .crash(let n): "\(n) crashes"
        case .restart(let n): "\(n) is started again"
        }
    }

    static func all(participants: Int) -> [Event] {
        var events: [Event] = [
            .giveUp, .insertDecision, .commitDecision(wordArrives: true), .commitDecision(wordArrives: false),
            .loseDecision, .findOut, .crashInitiator, .restartInitiator,
        ]
        for n in 0..<participants {
            events += [
                .send(n), .request(n, answerArrives: true), .request(n, answerArrives: false), .tellCommit(n),
                .tellRollback(n), .tellAndDie(n, commit: true), .tellAndDie(n, commit: false),
                .checkBack(n, answerArrives: true), .checkBack(n, answerArrives: false), .crash(n), .restart(n),
            ]
        }
        return events
    }
}
