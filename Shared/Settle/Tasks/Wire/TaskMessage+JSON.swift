package import Foundation

// What goes over the wire, quickly. What `FlatJSON` does not know for sure is left to `Codable`, which means the same.
extension TaskMessage {
    /// This message as it is sent.
    package var json: [UInt8] {
        var writer = FlatJSON.Writer(
            capacity: 256 + requestBody.utf8.count * 5 / 4 + (answerBody?.utf8.count ?? 0) * 5 / 4)
        writer.add("id", id)
        writer.add("createTime", createTime)
        writer.add("updateTime", updateTime)
        writer.add("taskType", taskType)
        writer.add("mqExchange", mqExchange)
        writer.add("mqRoutingkey", mqRoutingkey)
        writer.add("requestBody", requestBody)
        writer.add("status", status)
        writer.add("errormsg", errormsg)
        writer.add("answerBody", answerBody)
        return writer.end()
    }

    /// Reads a task as leniently as `init(from:)`.
    package init(json: [UInt8], _ decoder: JSONDecoder) throws {
        guard let members = FlatJSON.members(json), let message = TaskMessage(members) else {
            self = try decoder.decode(TaskMessage.self, from: Data(json))
            return
        }
        self = message
    }

    /// Nil for what `init(from:)` shall look at: it says what is wrong.
    private init?(_ members: FlatJSON.Members) {
        guard let id = members.number("id"), let taskType = members.text("taskType"),
            let requestBody = members.text("requestBody"), let createTime = members.optionalNumber("createTime"),
            let updateTime = members.optionalNumber("updateTime"), let exchange = members.optionalText("mqExchange"),
            let routingKey = members.optionalText("mqRoutingkey"), let status = members.optionalText("status"),
            let errormsg = members.optionalText("errormsg"), let answerBody = members.optionalText("answerBody")
        else { return nil }
        self.init(
            id: id, createTime: createTime ?? 0, updateTime: updateTime ?? createTime ?? 0, taskType: taskType,
            mqExchange: exchange ?? "", mqRoutingkey: routingKey ?? taskType, requestBody: requestBody,
            status: status, errormsg: errormsg)
        self.answerBody = answerBody
    }
}

extension AnswerMessage {
    /// Reads an answer as leniently as `init(from:)`.
    init(json: [UInt8], _ decoder: JSONDecoder) throws {
        guard let members = FlatJSON.members(json), let message = AnswerMessage(members) else {
            self = try decoder.decode(AnswerMessage.self, from: Data(json))
            return
        }
        self = message
    }

    private init?(_ members: FlatJSON.Members) {
        guard let id = members.number("id"), let taskType = members.optionalText("taskType"),
            let status = members.optionalText("status"), let errormsg = members.optionalText("errormsg"),
            let answerBody = members.optionalText("answerBody")
        else { return nil }
        (self.id, self.taskType, self.status) = (id, taskType, status)
        (self.errormsg, self.answerBody) = (errormsg, answerBody)
        requestBody = members.text("requestBody").flatMap { $0.isEmpty ? nil : $0 }
        createTime = members.number("createTime").flatMap { $0 == 0 ? nil : $0 }
    }
}
