public import Hummingbird
import SettleServiceKit
public import Settle

/// A sender's tasks, for operators; internal.
public struct TaskRoutes: Sendable {
    struct Counts: Encodable {
        let pending: Int
        let parked: Int
    }

    struct Tasks: Encodable {
        let tasks: [TaskRecord]
        let counts: Counts
    }

    struct Which: Decodable {
        let taskType: String?
    }

    struct Retried: Encodable {
        let retried: Int
    }

    private let relay: OutboxRelay

    /// The routes of the tasks that `relay` sends.
    public init(_ relay: OutboxRelay) { self.relay = relay }

    /// Adds `GET /tasks`, `POST /tasks/{id}/retry` and `POST /tasks/retry`.
    public func add(to guarded: RouterGroup<some RequestContext>) {
        guarded.get("tasks") { request, _ in
            let limit = try request.queryInteger("limit", in: 1...200, default: 50)
            let status = try request.queryChoice("status", of: TaskState.allCases.map(\.rawValue))
            let backlog = try await relay.store.backlog()
            return try Response.json(
                Tasks(
                    tasks: try await relay.store.tasks(status: status.flatMap(TaskState.init), limit: limit),
                    counts: Counts(pending: backlog.pending, parked: backlog.parked)))
        }
        guarded.post("tasks/:id/retry") { _, context in
            guard try await relay.retry(try context.pathInteger("id")) else {
                throw Problem.notFound("there is no live task with this id")
            }
            return Response.empty(.accepted)
        }
        guarded.post("tasks/retry") { request, context in
            let which = try await optionalJSON(Which.self, from: request, context: context)
            return try Response.json(
                Retried(retried: try await relay.retryParked(of: which?.taskType)), status: .accepted)
        }
    }
}
