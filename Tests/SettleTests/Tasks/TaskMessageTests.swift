import Foundation
import Testing

@testable import Settle

@Suite("Task message")
struct TaskMessageTests {
    /// By either way, which must say the same.
    private func task(_ json: String) throws -> TaskMessage {
        let message = try TaskMessage(json: Array(json.utf8), JSONDecoder())
        #expect(try JSONDecoder().decode(TaskMessage.self, from: Data(json.utf8)) == message)
        return message
    }

    private func answer(_ json: String) throws -> AnswerMessage {
        let message = try AnswerMessage(json: Array(json.utf8), JSONDecoder())
        #expect(try JSONDecoder().decode(AnswerMessage.self, from: Data(json.utf8)) == message)
        return message
    }

    @Test("the contract's example")
    func example() throws {
        let message = try task(
            #"""
            {"id": 7, "createTime": 1700000000000, "updateTime": 1700000000001, "taskType": "addpoint",
             "mqExchange": "ex_buying_addpointurse", "mqRoutingkey": "addpoint",
             "requestBody": "{\"userName\":\"alice\",\"orderId\":\"o\",\"point\":200}", "status": "pending",
             "errormsg": null}
            """#)
        #expect(message.id == 7)
        #expect(message.createTime == 1_700_000_000_000)
        #expect(message.updateTime == 1_700_000_000_001)
        #expect(message.taskType == "addpoint")
        #expect(message.mqExchange == "ex_buying_addpointurse")
        #expect(message.mqRoutingkey == "addpoint")
        #expect(message.requestBody == #"{"userName":"alice","orderId":"o","point":200}"#)
        #expect(message.status == "pending")
        #expect(message.errormsg == nil)
    }

    @Test("id, type and request are enough; what is unknown is ignored")
    func lenient() throws {
        let message = try task(#"{"id":1,"taskType":"t","requestBody":"{}","extra":{"a":[1]}}"#)
        #expect(message.id == 1)
        #expect(message.mqRoutingkey == "t")
        #expect(message.status == nil)
    }

    @Test(
        "without them it is unreadable",
        arguments: [
            "", "null", "[]", "{}", #"{"taskType":"t","requestBody":"{}"}"#, #"{"id":1,"requestBody":"{}"}"#,
            #"{"id":1,"taskType":"t"}"#, #"{"id":"1","taskType":"t","requestBody":"{}"}"#,
            #"{"id":1,"taskType":"t","requestBody":{}}"#, #"{"id":1.5,"taskType":"t","requestBody":"{}"}"#,
            #"{"id":99999999999999999999,"taskType":"t","requestBody":"{}"}"#,
        ])
    func unreadable(json: String) {
        #expect(throws: DecodingError.self) { try TaskMessage(json: Array(json.utf8), JSONDecoder()) }
    }

    @Test("an answer is the task itself with a new status")
    func answered() throws {
        let task = TaskMessage(
            id: 3, createTime: 10, updateTime: 10, taskType: "t", mqExchange: "x", mqRoutingkey: "k",
            requestBody: #"{"a":"ü\u0000"}"#, status: "pending", errormsg: "once returned")
        var expected = task
        expected.updateTime = 20
        expected.status = "finished"
        expected.errormsg = nil
        #expect(task.answered(.finished, at: 20) == expected)
        expected.status = "rejected"
        expected.errormsg = "why"
        #expect(task.answered(.rejected(reason: "why"), at: 20) == expected)
        let encoded = try JSONEncoder().encode(expected)
        #expect(try TaskMessage(json: Array(encoded), JSONDecoder()) == expected)
        #expect(try JSONDecoder().decode(TaskMessage.self, from: Data(expected.json)) == expected)
    }

    @Test(
        "how a status is read in an answer",
        arguments: [
            (#"{"id":1}"#, TaskAnswer.finished),
            (#"{"id":1,"status":null}"#, .finished),
            (#"{"id":1,"status":"pending"}"#, .finished),
            (#"{"id":1,"status":"finished","errormsg":"ignored"}"#, .finished),
            (#"{"id":1,"status":"rejected","errormsg":"why"}"#, .rejected(reason: "why")),
            (#"{"id":1,"status":"rejected"}"#, .rejected(reason: "rejected without a reason")),
            (#"{"id":1,"status":"rejected","errormsg":""}"#, .rejected(reason: "rejected without a reason")),
            (#"{"id":1,"status":"parked"}"#, nil),
            (#"{"id":1,"status":"Finished"}"#, nil),
            (#"{"id":1,"status":""}"#, nil),
        ])
    func answer(json: String, expected: TaskAnswer?) throws {
        #expect(try answer(json).answer == expected)
    }
}
