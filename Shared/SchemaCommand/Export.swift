import ArgumentParser
import Foundation
import SettlePostgres
import SettleSchema

/// Writes migrations as files.
struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Writes migrations as SQL, for Flyway, sqitch, psql and their like.",
        discussion: """
            One file for each migration, to be applied once each and in the order of their numbers. A file that is there \
            already is left as it is if it holds the same, and refused if it does not. Services that use the migrator find \
            what was applied so, and do nothing.
            """)

    /// What of `SettleSchema` belongs to one role.
    enum Part: String, EnumerableFlag {
        case tasks, transactions, at, setAside, inbox, messages

        static func help(for part: Part) -> ArgumentHelp? {
            switch part {
            case .tasks: "For senders of tasks: task and task_his."
            case .transactions: "For initiators and participants of global transactions."
            case .at: "For participants in mode at; needs --transactions."
            case .setAside: "For receivers of tasks, and senders: what waits, and the dead letters."
            case .inbox: "For receivers that keep no memory of their own of what they have done."
            case .messages: "For producers whose messages a message centre keeps."
            }
        }

        func sets(in schema: SchemaName) -> [MigrationSet] {
            switch self {
            case .tasks: [SettleSchema.tasks(in: schema)]
            case .transactions: [SettleSchema.transactions, SettleSchema.branchKey]
            case .at: [SettleSchema.at]
            case .setAside: [SettleSchema.setAside]
            case .inbox: [SettleSchema.inbox]
            case .messages: [SettleSchema.messages]
            }
        }
    }

    @Flag var parts: [Part] = []
    @Option(help: "The schema of task and task_his. All else is in the schema settle.")
    var schema = "public"
    @Option(help: "What the files' names begin with: V5. for instance, should V1 and V2 be your own.")
    var prefix = "V"
    @Argument(help: "Where the files go; without it, all goes to standard output.")
    var folder: String?

    func validate() throws {
        guard !parts.isEmpty else { throw ValidationError("name what is needed: --tasks, --transactions, …") }
        _ = try sets()
    }

    func run() throws {
        let files = try sets().flatMap { $0.files(prefix: prefix) }.sorted { $0.name < $1.name }
        guard let folder else {
            for file in files { print("-- \(file.name)\n\n\(file.sql)") }
            return
        }
        let directory = URL(fileURLWithPath: folder, isDirectory: true)
        let missing = try files.filter { try !isThere($0.sql, in: directory.appendingPathComponent($0.name)) }
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        for file in missing {
            try Data(file.sql.utf8).write(to: directory.appendingPathComponent(file.name))
            print(file.name)
        }
    }

    private func sets() throws -> [MigrationSet] {
        let name: SchemaName
        do { name = try SchemaName(schema) } catch { throw ValidationError("--schema: \(error)") }
        return Part.allCases.filter(parts.contains).flatMap { $0.sets(in: name) }
    }

    /// Throws when something else is: what was applied must not be changed under the tool that applied it.
    private func isThere(_ text: String, in file: URL) throws -> Bool {
        guard FileManager.default.fileExists(atPath: file.path) else { return false }
        guard try Data(contentsOf: file) == Data(text.utf8) else {
            throw ValidationError("\(file.lastPathComponent) is there already, and holds something else")
        }
        return true
    }
}
