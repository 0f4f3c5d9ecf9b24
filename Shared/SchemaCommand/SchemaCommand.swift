import ArgumentParser

/// What a database needs for Settle, for those who do not leave it to the services.
@main
struct SchemaCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "settle-schema", abstract: "The tables that Settle needs.", subcommands: [Export.self])
}
