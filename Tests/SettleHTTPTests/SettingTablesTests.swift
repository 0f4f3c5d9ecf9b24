import Foundation
import Settle
import SettleHTTP
import SettleRabbitMQ
import SettleServiceKit
import Testing

@Suite("Settings of Settle")
struct SettingTablesTests {
    private static func reader(_ environment: [String: String]) -> SettingsReader {
        SettingsReader(environment: environment)
    }

    @Test("without any, the defaults of the library")
    func defaults() throws {
        let nothing = Self.reader([:])
        #expect(try TaskSettings.table.read(nothing) == TaskSettings())
        #expect(try MessageSettings.table.read(nothing) == MessageSettings())
        #expect(try SetAsideSettings.table.read(nothing) == SetAsideSettings())
        #expect(try TransactionSettings.table.read(nothing) == TransactionSettings())
        #expect(try DatabaseSettings.table.read(nothing).connections == 8)
        #expect(try MessagingSettings.table.read(nothing).queueType == .classic)
        #expect(try ParticipantSettings.table(initiators: []).read(nothing).initiators == nil)
    }

    @Test("each fills its own field: tasks")
    func tasks() throws {
        var expected = TaskSettings()
        expected.lease = .seconds(2)
        expected.republishAfter = .seconds(7200)
        expected.republishCap = .seconds(7200)
        expected.maxAttempts = 3
        expected.scanInterval = .seconds(4)
        expected.historyRetention = .seconds(3600)
        let settings = try TaskSettings.table.read(
            Self.reader([
                "TASK_LEASE": "2s", "TASK_REPUBLISH_AFTER": "2h", "TASK_MAX_ATTEMPTS": "3", "TASK_SCAN_INTERVAL": "4s",
                "TASK_HISTORY_RETENTION": "1h",
            ]))
        #expect(settings == expected)
    }

    @Test("messages")
    func messages() throws {
        var expected = SetAsideSettings()
        expected.maxFailures = 2
        expected.giveUpAfter = .seconds(3)
        expected.maxWaiting = 4
        let settings = try SetAsideSettings.table.read(
            Self.reader([
                "SET_ASIDE_MAX_FAILURES": "2", "SET_ASIDE_GIVE_UP_AFTER": "3s", "SET_ASIDE_MAX_WAITING": "4",
            ]))
        #expect(settings == expected)
        let messaging = try MessagingSettings.table.read(
            Self.reader([
                "QUEUE_TYPE": "quorum", "MESSAGE_LOCK_TIMEOUT": "5ms", "MESSAGE_KEYS": "a=b",
            ]))
        #expect(messaging.queueType == .quorum)
        #expect(messaging.lockTimeout == .milliseconds(5))
        #expect(messaging.keys == "a=b")
        #expect(try DatabaseSettings.table.read(Self.reader(["DATABASE_CONNECTIONS": "6"])).connections == 6)
    }

    @Test("transactions")
    func transactions() throws {
        var expected = TransactionSettings()
        expected.deadline = .seconds(1)
        expected.checkAfter = .seconds(2)
        expected.lockTimeout = .seconds(3)
        expected.retention = .seconds(4)
        expected.maxRows = 5
        let environment = [
            "TRANSACTION_DEADLINE": "1s", "TRANSACTION_CHECK_AFTER": "2s", "ROW_LOCK_TIMEOUT": "3s",
            "TRANSACTION_RETENTION": "4s", "TRANSACTION_MAX_ROWS": "5",
        ]
        #expect(try TransactionSettings.table.read(Self.reader(environment)) == expected)
        #expect(
            throws: SettingsError("TRANSACTION_RETENTION", "longer than TRANSACTION_DEADLINE is expected")
        ) {
            try TransactionSettings.table.read(Self.reader(environment.merging(["TRANSACTION_DEADLINE": "4s"]) { $1 }))
        }
    }

    @Test("initiators: those of the operator, in a file too, in place of the service's own")
    func initiators() throws {
        let table = ParticipantSettings.table(initiators: [PeerService("order", port: 8080)])
        #expect(table.settings.map(\.defaultText) == ["order=$ORDER_URL"])
        let file = FileManager.default.temporaryDirectory.appending(path: "settle-initiators-\(UUID())")
        try Data("billing=http://billing\n".utf8).write(to: file)
        defer { #expect(throws: Never.self) { try FileManager.default.removeItem(at: file) } }
        let initiators = try table.read(Self.reader(["INITIATORS_FILE": file.path])).initiators
        #expect(initiators?.url(of: "billing")?.description == "http://billing")
        #expect(initiators?.url(of: "order") == nil)
    }

    @Test("what signs messages, and what breaks them, has no flag")
    func environmentOnly() {
        let hidden = SettleSettings.messages.filter { $0.flag == nil }.map(\.variable)
        #expect(hidden == ["MESSAGE_KEYS", "SETTLE_FAULTS"])
    }
}
