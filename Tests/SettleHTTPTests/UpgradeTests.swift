import Foundation
import Hummingbird
import HummingbirdTesting
import SettlePostgres
import SettleHTTP
import SettleServiceKit
import Settle
import SettleSchema
import SettleHTTPTestSupport
import SettleTestSupport
import Testing

@Suite(
    "An upgrade while branches are undecided", .serialized, .enabled(if: ParticipantBed.serverURL != nil),
    .timeLimit(.minutes(2)))
struct UpgradeTests {
    /// The two branches that hold a row each, done by the version before.
    private func leaveUndecided(_ bed: ParticipantBed) async throws {
        try await bed.service(migrations: [Take.schema]) { settle, _ in
            try await eventually("the first version is up") { settle.migration.isDone }
            for (wallet, mode) in [("ann", BranchMode.at), ("bob", .xa)] {
                _ = try await #require(settle.participation).participant.perform(
                    "take", request: Data(#"{"wallet":"\#(wallet)"}"#.utf8),
                    context: BranchContext(xid: XID(), mode: mode, initiator: "order"))
            }
        }
    }

    @Test("a migration that needs their rows waits for check-back, which runs, and then is applied")
    func business() async throws {
        // The one meets the prepared transaction's lock on the table, the other the rows held in mode at.
        let next = [
            Migration(name: "wallet_0002", sql: "ALTER TABLE wallet ADD note text"),
            Migration(
                name: "wallet_0003",
                sql: """
                    SELECT settle.withdraw('wallet');
                    ALTER TABLE wallet ALTER balance TYPE numeric;
                    SELECT settle.enroll('wallet');
                    """),
        ]
        try await ParticipantBed.with { bed in
            try await leaveUndecided(bed)
            let (failures, failed) = AsyncStream.makeStream(of: String.self)
            try await bed.service(migrations: [Take.schema] + next) { settle, http in
                settle.migration.afterFailure { failed.yield("\($0)") }
                for await failure in failures {
                    #expect(failure.contains("wallet_0002"))
                    break
                }
                // It is up as far as it can be, and stays up.
                #expect(settle.libraryMigration.isDone)
                #expect(!settle.migration.isDone)
                try await Application(responder: http.responder).test(.router) { client in
                    let list = try await client.execute(
                        uri: "/transactions", method: .get, headers: TestService.authorization)
                    #expect(list.status == .ok)
                    let branch = try await client.execute(
                        uri: "/branches/take", method: .post, headers: TestService.authorization)
                    #expect(branch.status == .serviceUnavailable)
                    let ready = try await client.execute(uri: "/health/ready", method: .get)
                    #expect(ready.status == .serviceUnavailable)
                }
                bed.initiator.say(.abort)
                try await eventually("the next version is up") { settle.migration.isDone }
            }
            #expect(try await bed.texts("SELECT balance::text FROM wallet") == ["100", "100"])
            #expect(try await bed.texts("SELECT pg_typeof(balance)::text FROM wallet LIMIT 1") == ["numeric"])
        }
    }

    @Test("a migration of the common tables themselves waits for prepared transactions that check-back ends")
    func library() async throws {
        try await ParticipantBed.with { bed in
            try await leaveUndecided(bed)
            // What the next version of the common tables might bring.
            let next = Migration(name: "settle_next", sql: "ALTER TABLE settle.branch ADD next_version text")
            try await bed.service(
                library: [next], migrations: [Take.schema]
            ) { settle, _ in
                try await eventually("the initiator is asked") { bed.initiator.asked > 0 }
                bed.initiator.say(.commit)
                try await eventually("the next version is up") { settle.migration.isDone }
                try await eventually("nothing is undecided") {
                    try await bed.texts("SELECT xid FROM settle.branch WHERE state = 'undecided'").isEmpty
                }
            }
            #expect(try await bed.texts("SELECT balance::text FROM wallet") == ["90", "90"])
        }
    }
}
