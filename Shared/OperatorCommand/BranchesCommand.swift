import ArgumentParser
import SettleServiceKit

/// Who decides in place of a machine, and why: it is kept.
struct OperatorOptions: ParsableArguments {
    @Option(help: "Who you are; it is kept.") var `operator`: String
    @Option(help: "Why; it is kept.") var reason: String

    func body(_ members: [String: JSONValue]) -> JSONValue {  // ours
        .object(members.merging(["operator": .text(`operator`), "reason": .text(reason)]) { $1 })
    }
}

struct BranchesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "branches", abstract: "The parts of global transactions that a participant has done.",
        subcommands: [List.self, Show.self, Decide.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Those that wait for their decision, oldest first.")
        @OptionGroup var options: ServiceOptions
        @Option(help: "The most that are listed, to 1000.") var limit = 200

        func run() async throws {
            try options.show(
                try await options.service().get("/transactions?limit=\(limit)"), "branches",
                [
                    .member("xid", "xid"), .member("branch", "branch"), .member("mode", "mode"),
                    .member("state", "state"), .member("since", "createdAt"), .member("initiator", "initiator"),
                    .member("error", "errormsg"),
                ])
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "What a participant has of one transaction.")
        @OptionGroup var options: ServiceOptions
        @Argument(help: "The XID.") var xid: String

        func run() async throws {
            try options.show(
                try await options.service().get("/transactions/\(xid.escaped)"), "branches",
                [
                    .member("branch", "branch"), .member("action", "action"), .member("mode", "mode"),
                    .member("state", "state"), .member("done", "createdAt"), .member("ended", "endedAt"),
                    .member("asked", "checks"),
                    .member("initiator", "initiator"), .member("error", "errormsg"),
                ])
        }
    }

    struct Decide: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Ends a branch in place of an initiator that will never say anything.",
            discussion: "The initiator is asked once more; what it has decided holds.")
        enum Decision: String, ExpressibleByArgument, CaseIterable { case commit, abort }
        @OptionGroup var options: ServiceOptions
        @Argument(help: "The XID.") var xid: String
        @Argument(help: "commit or abort.") var decision: Decision
        @OptionGroup var who: OperatorOptions
        @Flag(help: "Although the initiator may still decide. The two sides may then differ for ever.")
        var force = false

        func run() async throws {
            try options.show(
                try await options.service().post(
                    "/transactions/decide",
                    who.body([
                        "xid": .text(xid), "decision": .text(decision.rawValue), "force": .bool(force),
                    ])))
        }
    }
}

struct DecisionsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "decisions", abstract: "What an initiator has decided.", subcommands: [List.self, Show.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Commits that not every participant has confirmed; with --all the latest decisions.")
        @OptionGroup var options: ServiceOptions
        @Flag(help: "The latest, whatever became of them.") var all = false
        @Option(help: "The most that are listed, to 200.") var limit = 50

        func run() async throws {
            try options.show(
                try await options.service().get("/decisions?limit=\(limit)&state=\(all ? "all" : "open")"),
                "decisions",
                [
                    .member("xid", "xid"), .member("decision", "decision"), .member("decided", "createdAt"),
                    .member("confirmed", "acknowledgedAt"), .member("attempts", "attempts"),
                    .member("participants", "participants"),
                ])
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "What was decided on one transaction.")
        @OptionGroup var options: ServiceOptions
        @Argument(help: "The XID.") var xid: String

        func run() async throws { try options.show(try await options.service().get("/decisions/\(xid.escaped)")) }
    }
}
