public import Foundation
public import Settle
import Synchronization

/// An initiator that says what a test tells it to, for a participant's check-back.
///
/// ```swift
/// let order = ScriptedInitiator()
/// let checkBack = CheckBack(participant: participant, peers: order, logger: logger)
/// order.say(.commit, about: xid)
/// ```
public final class ScriptedInitiator: InitiatorPeers {
    /// It cannot be reached.
    public struct Away: Error {
        /// It cannot.
        public init() {}
    }

    /// What was asked.
    public struct Question: Sendable, Equatable {
        /// Whom.
        public let initiator: String
        /// About which transactions.
        public let xids: [XID]
        /// Whether what may still be decided was to be left alone.
        public let onlyRead: Bool
    }

    private struct State {
        var words: [XID: Decision] = [:]
        var isAway = false
        var questions: [Question] = []
    }

    private let state = Mutex(State())

    /// It says `undecided` to every question that only reads, and `abort` to the others, as one who knows nothing.
    public init() {}

    /// From now on it says so. A word that was said once should stay.
    public func say(_ decision: Decision, about xid: XID) { state.withLock { $0.words[xid] = decision } }
    /// Whether it cannot be reached.
    public func setAway(_ isAway: Bool) { state.withLock { $0.isAway = isAway } }
    /// What it was asked so far.
    public var questions: [Question] { state.withLock { $0.questions } }

    /// The words that it was told, and `abort`, for good, for what nobody has decided.
    public func decisions(on xids: [XID], onlyRead: Bool, at initiator: String) async throws -> [XID: Decision] {
        try state.withLock { state in
            state.questions.append(Question(initiator: initiator, xids: xids, onlyRead: onlyRead))
            guard !state.isAway else { throw Away() }
            return xids.reduce(into: [:]) { answer, xid in
                if state.words[xid] == nil, !onlyRead { state.words[xid] = .abort }
                answer[xid] = state.words[xid] ?? .undecided
            }
        }
    }
}

/// Participants that a test's initiator calls, and tells its decisions to.
///
/// ```swift
/// let others = ScriptedParticipants { _, action, _ in action == "deduct" ? #"{"price": 5}"# : "{}" }
/// settle.initiate(selfURL: "http://here", participants: others)
/// try await placeOrder()
/// others.told  // [.init(participant: "stock", verdict: .commit, xid: …)]
/// ```
public final class ScriptedParticipants: ParticipantPeers, BranchTransport {
    /// What a participant answers to an action, as JSON. Throws `BranchRefusal` to say no, `BranchFailed` to say that its
    /// part is done and something else failed; any other error is a call of which nobody knows what it did.
    public typealias Answer =
        @Sendable (_ participant: String, _ action: String, _ request: String) throws -> String

    /// One decision that one participant was told.
    public struct Told: Sendable, Hashable {
        /// Whom.
        public let participant: String
        /// What.
        public let verdict: Verdict
        /// About which transaction.
        public let xid: XID

        /// For comparing.
        public init(participant: String, verdict: Verdict, xid: XID) {
            self.participant = participant
            self.verdict = verdict
            self.xid = xid
        }
    }

    private struct State {
        var told: [Told] = []
        var outcomes: [String: [XID: BranchOutcome]] = [:]
        var away: Set<String> = []
        var enlisted: [String: [String]] = [:]
    }

    private let state = Mutex(State())

    private let answer: Answer

    /// Each does as it is told.
    public init(_ answer: @escaping Answer = { _, _, _ in "{}" }) { self.answer = answer }

    /// What they were told, each time.
    public var told: [Told] { state.withLock { $0.told } }
    /// Whether `participant` cannot be reached.
    public func setAway(_ participant: String, _ isAway: Bool) {
        state.withLock { state in
            if isAway { state.away.insert(participant) } else { state.away.remove(participant) }
        }
    }

    /// Whom `participant` says that it has called in turn, from now on.
    public func setEnlisted(_ participant: String, _ enlisted: [String]) {
        state.withLock { $0.enlisted[participant] = enlisted }
    }

    /// As it was told to.
    public func perform(
        _ action: String, _ request: Data, headers: [String: String], timeout: Duration, at participant: String
    ) async throws -> BranchReply<Data> {
        if state.withLock({ $0.away.contains(participant) }) { throw ScriptedInitiator.Away() }
        do {
            return .done(
                Data(try answer(participant, action, String(decoding: request, as: UTF8.self)).utf8),
                enlisted: state.withLock { $0.enlisted[participant] ?? [] })
        } catch let refusal as BranchRefusal {
            return .refused(refusal)
        } catch let failed as BranchFailed {
            return .failed(failed.error, enlisted: failed.enlisted)
        }
    }

    /// The first word about a transaction holds, as at a real one.
    public func end(_ xids: [XID], verdict: Verdict, at participant: String) async throws -> [XID: BranchOutcome] {
        try state.withLock { state in
            guard !state.away.contains(participant) else { throw ScriptedInitiator.Away() }
            return xids.reduce(into: [:]) { answer, xid in
                state.told.append(Told(participant: participant, verdict: verdict, xid: xid))
                let outcome = state.outcomes[participant]?[xid] ?? (verdict == .commit ? .committed : .rolledBack)
                state.outcomes[participant, default: [:]][xid] = outcome
                answer[xid] = outcome
            }
        }
    }
}
