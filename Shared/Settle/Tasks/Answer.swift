import Foundation

/// What an answer says, and what it carries of its task.
struct Answer: Sendable, Hashable {
    let id: Int64
    let taskType: String?
    /// `finished` or `rejected`.
    let status: TaskStatus
    let errormsg: String?
    /// Of the task, as it was sent; nil when a peer left it out.
    var requestBody: String?
    /// Of the task, in milliseconds since 1970; nil when a peer left it out.
    var createTime: Int64?
}

extension Answer {
    /// More than a task may have, with room for the answer's own fields.
    static let maxBytes = 2 << 20

    /// Reads the answer in a message.
    init(_ body: [UInt8], _ decoder: JSONDecoder) throws {
        guard body.count <= Self.maxBytes else {
            throw UnreadableMessage(description: "\(body.count) bytes are more than an answer may have")
        }
        let message = try decoder.decode(AnswerMessage.self, from: Data(body))
        guard let answer = message.answer else {
            throw UnreadableMessage(description: "status '\(message.status ?? "")' is no answer")
        }
        switch answer {
        case .finished: (status, errormsg) = (.finished, nil)
        case .rejected(let reason): (status, errormsg) = (.rejected, reason)
        }
        (id, taskType) = (message.id, message.taskType)
        (requestBody, createTime) = (message.requestBody, message.createTime)
    }

    /// Whether no task of PostgreSQL's can be meant, whose texts hold no NUL.
    var isSurelyForeign: Bool { requestBody?.utf8.contains(0) ?? false }
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
