package import Foundation

/// What an answer says, and what it carries of its task.
package struct Answer: Sendable, Hashable {
    package let id: Int64
    package let taskType: String?
    /// `finished` or `rejected`.
    package let status: TaskState
    package let errormsg: String?
    /// Of the task, as it was sent; nil when a peer left it out.
    package var requestBody: String?
    /// Of the task, in milliseconds since 1970; nil when a peer left it out.
    package var createTime: Int64?
    /// What a type of task with an answer of its own says, as JSON.
    package var body: String?
    /// Whether it came by the queue for the answers to such tasks.
    package var isInPlace = true
}

extension Answer {
    /// More than a task may have, with room for the answer's own fields.
    static let maxBytes = 2 << 20

    /// Reads the answer in a message that came by the queue for the answers of `route`.
    package init(_ body: [UInt8], of route: TaskRoute, _ decoder: JSONDecoder) throws {
        guard body.count <= Self.maxBytes else {
            throw UnreadableMessage(description: "\(body.count) bytes are more than an answer may have")
        }
        let message = try AnswerMessage(json: body, decoder)
        guard let answer = message.answer else {
            throw UnreadableMessage(description: "status '\(message.status ?? "")' is no answer")
        }
        switch answer {
        case .finished: (status, errormsg) = (.finished, nil)
        case .answered(let body): (status, errormsg, self.body) = (.finished, nil, body)
        case .rejected(let reason): (status, errormsg) = (.rejected, reason)
        }
        (id, taskType) = (message.id, message.taskType ?? route.taskType)
        isInPlace = taskType == route.taskType
        (requestBody, createTime) = (message.requestBody, message.createTime)
    }

    /// Whether no task of ours can be meant: PostgreSQL's texts hold no NUL, and whoever may answer one type of task, and has
    /// its key, has no say in another.
    var isSurelyForeign: Bool { !isInPlace || requestBody?.utf8.contains(0) ?? false }
}

extension [Answer] {
    /// Splits them so that no round has two with one id; copies count as one. Only the first of a round's answers to a task
    /// finds it, but which of several is the task's own the database knows.
    var rounds: [[Answer]] {
        var rounds: [[Answer]] = []
        var seen: Set<Answer> = []
        var occurrences: [Int64: Int] = [:]
        for answer in self where seen.insert(answer).inserted {
            let round = occurrences[answer.id, default: 0]
            occurrences[answer.id] = round + 1
            if round == rounds.count { rounds.append([]) }
            rounds[round].append(answer)
        }
        return rounds
    }
}
