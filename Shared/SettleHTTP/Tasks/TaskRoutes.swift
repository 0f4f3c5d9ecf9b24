public import Hummingbird
import SettleServiceKit
public import Settle

/// A sender's tasks, for operators; internal.
public struct TaskRoutes: Sendable {
    struct Counts: Encodable {
        let pending: Int
        let delayed: Int
        let parked: Int
        let waiting: Int
        let heldLines: Int
        let paused: Int
    }

    struct Tasks: Encodable {
        let tasks: [TaskRecord]
        let counts: Counts
        let paused: [TaskPause]
    }

    struct Which: Decodable {
        let taskType: String?
    }

    struct Retried: Encodable {
        let retried: Int
    }

    struct GivenUp: Decodable {
        let taskType: String?
        let status: String
        let reason: String
    }

    struct Why: Decodable {
        let reason: String
    }

    struct Discarded: Encodable {
        let discarded: Int
        let hasMore: Bool
    }

    struct Pause: Decodable {
        let taskType: String
        let reason: String?

        func check() throws { if let reason { try Check.length("reason", reason, 1...255) } }
    }

    struct Paused: Encodable {
        let paused: [TaskPause]
    }

    static let live = TaskState.allCases.filter { !$0.isArchived }.map(\.rawValue)

    static let nobodyFollows = "nobody-follows"

    private let relay: OutboxRelay

    /// The routes of the tasks that `relay` sends.
    public init(_ relay: OutboxRelay) { self.relay = relay }

    /// Adds `/tasks`: looking at them, sending them again, giving them up, and pausing a type.
    public func add(to guarded: RouterGroup<some RequestContext>) {
        guarded.get("tasks") { request, _ in
            let limit = try request.queryInteger("limit", in: 1...200, default: 50)
            let status = try request.queryChoice("status", of: TaskState.allCases.map(\.rawValue))
            let taskType = try request.queryString("taskType")
            let backlog = try await relay.store.backlog()
            return try Response.json(
                Tasks(
                    tasks: try await relay.store.tasks(
                        status: status.flatMap(TaskState.init), taskType: taskType, limit: limit),
                    counts: Counts(
                        pending: backlog.pending, delayed: backlog.delayed, parked: backlog.parked,
                        waiting: backlog.waiting, heldLines: backlog.heldLines, paused: backlog.paused),
                    paused: try await relay.store.pauses()))
        }
        guarded.post("tasks/:id/retry") { _, context in
            guard try await relay.retry(try context.pathInteger("id")) else {
                throw Problem.notFound("there is no live task with this id that waits for no other")
            }
            return Response.empty(.accepted)
        }
        guarded.post("tasks/retry") { request, context in
            let which = try await optionalJSON(Which.self, from: request, context: context)
            return try Response.json(
                Retried(retried: try await relay.retryParked(of: which?.taskType)), status: .accepted)
        }
        addGivingUp(to: guarded)
        addPauses(to: guarded)
    }

    private func addGivingUp(to guarded: RouterGroup<some RequestContext>) {
        guarded.post("tasks/:id/discard") { request, context in
            let id = try context.pathInteger("id")
            let why = try await requireJSON(Why.self, from: request, context: context)
            try Check.length("reason", why.reason, 1...255)
            guard try await followed({ try await relay.discard(id, reason: why.reason) }) else {
                throw Problem.notFound("there is no live task with this id")
            }
            return try Response.json(Discarded(discarded: 1, hasMore: false))
        }
        guarded.post("tasks/discard") { request, context in
            let which = try await requireJSON(GivenUp.self, from: request, context: context)
            try Check.length("reason", which.reason, 1...255)
            try Check.choice("status", which.status, of: Self.live)
            guard let status = TaskState(rawValue: which.status) else { throw Problem.internalError }
            let done = try await followed {
                try await relay.discard(status, of: which.taskType, reason: which.reason)
            }
            return try Response.json(Discarded(discarded: done.discarded, hasMore: done.hasMore))
        }
    }

    private func addPauses(to guarded: RouterGroup<some RequestContext>) {
        guarded.post("tasks/pause") { request, context in
            let which = try await requireJSON(Pause.self, from: request, context: context)
            try which.check()
            guard try await relay.pause(which.taskType, reason: which.reason) else {
                throw Problem.notFound("there are no tasks of this type")
            }
            return try Response.json(Paused(paused: try await relay.store.pauses()))
        }
        guarded.post("tasks/resume") { request, context in
            let which = try await requireJSON(Pause.self, from: request, context: context)
            try which.check()
            guard try await relay.resume(which.taskType) else { throw Problem.notFound("this type is not paused") }
            return try Response.json(Paused(paused: try await relay.store.pauses()))
        }
    }

    private func followed<R>(_ body: () async throws -> R) async throws -> R {
        do {
            return try await body()
        } catch let error as NobodyFollows {
            throw Problem.conflict(Self.nobodyFollows, error.description)
        }
    }
}
