public import Foundation
import HTTPTypes
import SettleCore
import Synchronization
public import SettleServiceKit
public import Settle

/// Participants and initiators reached by HTTP: those of a directory, and nobody else. The token goes nowhere else.
public struct HTTPTransactionPeers: ParticipantPeers, InitiatorPeers, BranchTransport {
    /// A peer that the directory does not have.
    public struct Unknown: Error, CustomStringConvertible {
        /// What it was called.
        public let peer: String
        /// For an operator.
        public var description: String { "configuration does not know '\(peer)'" }
    }

    private let directory: ServiceDirectory
    private let outbound: OutboundHTTP
    private let calls: OutboundHTTP
    private let token: Tokens
    private let timeout: Duration
    private let groups = Groups()

    /// - Parameters:
    ///   - directory: where each service is.
    ///   - outbound: makes the calls that end branches, or ask about them.
    ///   - calls: for branches. They wait for rows that phase 2 frees, and must not keep it waiting in turn:
    ///     connections of their own are better.
    ///   - token: what each service is sent.
    ///   - timeout: of one call that ends branches, or asks about them.
    public init(
        _ directory: ServiceDirectory, over outbound: OutboundHTTP, calls: OutboundHTTP? = nil, token: Tokens,
        timeout: Duration = .seconds(5)
    ) {
        self.calls = calls ?? outbound
        self.directory = directory
        self.outbound = outbound
        self.token = token
        self.timeout = timeout
    }

    /// `POST /transactions/commit` or `/transactions/rollback` at the participant.
    public func end(
        _ xids: [XID], verdict: Verdict, at participant: String
    ) async throws -> [XID: BranchOutcome] {
        let answer: Outcomes<BranchOutcome> = try await client(participant).post(
            "/transactions/\(verdict == .commit ? "commit" : "rollback")", XIDs(xids))
        return answer.byXID
    }

    /// `POST /transactions/outcomes` at the initiator.
    public func decisions(on xids: [XID], onlyRead: Bool, at initiator: String) async throws -> [XID: Decision] {
        let answer: Outcomes<Decision> = try await client(initiator).post(
            "/transactions/outcomes", XIDs(xids, onlyRead: onlyRead))
        return answer.byXID
    }

    /// `POST /branches/<action>` at the participant.
    public func perform(
        _ action: String, _ request: Data, headers: [String: String], timeout: Duration, at participant: String
    ) async throws -> BranchReply<Data> {
        let client = try client(participant, over: calls)
        let answer = try await groups.of(participant, client).send(
            action, Array(request), headers: headers, timeout: timeout)
        return try answer.reply {
            Data(answer.body)
        } refusal: {
            $0.refusal
        }
    }

    /// As the directory says.
    public func name(of peer: String) -> String? { directory.name(of: peer) }

    private func client(_ peer: String, over outbound: OutboundHTTP? = nil) throws(Unknown) -> ServiceClient {
        guard let name = directory.name(of: peer), let baseURL = directory.url(of: name) else {
            throw Unknown(peer: peer)
        }
        return ServiceClient(
            name, baseURL: baseURL.description, token: token.sent(to: baseURL), over: outbound ?? self.outbound,
            timeout: timeout)
    }
}

/// The calls to each participant that travel together.
private final class Groups: Sendable {
    private let known = Mutex<[ByteKey: BranchGroups]>([:])

    func of(_ participant: String, _ client: ServiceClient) -> BranchGroups {
        known.withLock { known in
            if let groups = known[ByteKey(participant)] { return groups }
            let new = BranchGroups(client)
            known[ByteKey(participant)] = new
            return new
        }
    }
}

extension ServiceClientError {
    /// What the participant said, as its action threw it.
    fileprivate var refusal: BranchRefusal {
        guard case .status(let status, let type, let detail, _) = self else {
            return BranchRefusal(code: "refused", detail: "\(self)")
        }
        return BranchRefusal(
            code: type?.split(separator: "/").last.map(String.init) ?? "status-\(status)", detail: detail ?? "")
    }
}

/// `{"xids": […]}`, and in a question that must not end what may still be decided `"onlyRead": true`.
struct XIDs: Codable, Sendable {
    /// How many may be in one.
    static let limit = 1000

    let xids: [String]
    let onlyRead: Bool?

    init(_ xids: [XID], onlyRead: Bool = false) {
        self.xids = xids.map(\.rawValue)
        self.onlyRead = onlyRead ? true : nil
    }

    /// Throws the problem that says what is wrong with them.
    func checked() throws -> [XID] {
        try Check.range("xids", xids.count, in: 0...Self.limit)
        return try xids.enumerated().map { index, text in
            guard let xid = XID(rawValue: text) else { throw Problem.unprocessable("xids[\(index)] is not an XID") }
            return xid
        }
    }
}

/// `{"outcomes": {"<xid>": …}}`
struct Outcomes<Value: Codable & Sendable>: Codable, Sendable {
    let outcomes: [String: Value]

    init(_ byXID: [XID: Value]) {
        outcomes = Dictionary(byXID.map { ($0.key.rawValue, $0.value) }, uniquingKeysWith: { $1 })
    }

    var byXID: [XID: Value] {
        outcomes.reduce(into: [:]) { byXID, entry in
            if let xid = XID(rawValue: entry.key) { byXID[xid] = entry.value }
        }
    }
}
