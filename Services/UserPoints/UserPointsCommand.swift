import ArgumentParser
import PointsSchema
import ServiceKit
import ShopContract

@main
struct UserPointsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "user-points",
        abstract: "The balances of users, and the points that their orders earn.",
        discussion: """
            Receives the task addpoint, adds the points once and answers. Settings come from the flags below, else from \
            the environment; SETTLE_TOKEN, which guards the internal routes, from the environment only.
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var messaging: MessagingOptions

    func run() async throws {
        try await ServiceMain.run("user-points", defaultPort: 8082, options: common, flags: messaging.flags) { boot in
            let infrastructure = try Infrastructure(boot, migrations: [("user-points", PointsSchema.migrations)])
            let database = infrastructure.database
            let messaging = try Messaging(
                boot, infrastructure, routes: [ShopRoutes.addPoint], deadLetters: ShopRoutes.deadLetters)
            let consumer = messaging.consumer([
                messaging.inbox(ShopRoutes.addPoint, applier: AddPointApplier(database: database))
            ])
            let http = HTTPService(
                boot, checks: infrastructure.checks + [messaging.check(consumer)], problems: [.postgres],
                isOpen: { infrastructure.migration.isDone }
            ) { open, guarded in
                UserRoutes(database: database).add(to: open, guarded: guarded)
            }
            return infrastructure.services + [messaging.publisher, consumer, http]
        }
    }
}
