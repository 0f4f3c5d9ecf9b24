public import Settle
public import SettlePostgres

/// Holds a receiver's applier against what keeps a task from being done twice or never, on a database of the test's own.
///
/// ```swift
/// try await verifyExactlyOnce(
///     in: database, task: { SendMail(orderId: "o\($0)", address: "a@example.org") },
///     refused: { SendMail(orderId: "r\($0)", address: "nobody") }
/// ) { SendMailApplier(database: $0) }
/// ```
/// It applies tasks, applies them again, in batches, at two receivers at the same moment, with other content, and has
/// the connection lost before and after each commit that `apply` makes. Nobody else may change the database meanwhile.
///
/// - Parameters:
///   - database: with the applier's tables; running. The applier gets connections of its own to it.
///   - task: the task of that number; each with a key of its own, otherwise alike, and all can be done.
///   - refused: the same of tasks that cannot be done.
///   - conflicting: another task with the same key.
///   - comparing: what shows whether a task was done, and how often.
///   - applier: the applier, working on the database that it is given.
/// - Throws: ``BrokenRule``, or what the applier throws where nothing was in its way.
public func verifyExactlyOnce<Applier: TaskApplier>(
    in database: PostgresDatabase, task: (Int) -> Applier.Body, refused: ((Int) -> Applier.Body)? = nil,
    conflicting: ((Applier.Body) -> Applier.Body)? = nil, comparing: Compared = .allTables,
    applier: (PostgresDatabase) -> Applier
) async throws where Applier.Body: Encodable {
    try await ApplierTrial.with(database, comparing, applier) { trial in
        let first = try trial.read(task(1))
        let second = try trial.read(task(2))
        try trial.expectOwnKeys(first, second)
        try await trial.applied(first)
        try await trial.applied(second)
        try await trial.batch(try [1, 3, 2, 4].map { try trial.read(task($0)) }, new: [1, 3])
        var number = 5
        func next() throws -> ReceivedTask<Applier.Body> {
            defer { number += 1 }
            return try trial.read(task(number))
        }
        try await trial.decided(try next())
        if let conflicting { try await trial.conflict(first, try trial.read(conflicting(task(1)))) }
        if let refused {
            for number in 1...2 { try await trial.refusal(try trial.read(refused(number))) }
        }
        for moment in [LossOnDemand.Moment.beforeCommit, .afterCommit] {
            for commit in 1...ApplierTrial<Applier>.maxCommits {
                guard try await trial.lost(try next(), at: moment, ofCommit: commit) else { break }
            }
        }
        for commit in 1...ApplierTrial<Applier>.maxCommits {
            guard try await trial.atOnce(try next(), pausedAtCommit: commit) else { break }
        }
    }
}
