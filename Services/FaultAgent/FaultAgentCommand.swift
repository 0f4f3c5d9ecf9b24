import Logging
import SettleServiceKit
import ShopContract

@main
enum FaultAgentCommand {
    static let command = ServiceCommand(
        "fault-agent",
        about: """
            Breaks the shop on demand, for demonstrations: crashes, pauses and slow or cut lines, each for a minute at \
            most, and says afterwards what mended it. Never part of a suite in earnest.
            """,
        port: 8084, peers: ShopServices.all, usesServers: false,
        settings: LineSettings.table.settings)

    static func main() async {
        await ServiceMain.run(command) { boot in
            boot.logger.warning("whoever has the token may break this suite: for demonstrations only")
            let lines = Lines(
                try LineSettings.table.read(boot.reader).addresses, host: boot.settings.host, logger: boot.logger)
            let http = OutboundHTTP(logger: boot.logger)
            let shop = Shop(
                try ShopServices.all.map { (name: $0.name, client: try boot.client($0, over: http)) },
                logger: boot.logger)
            let trials = Trials(shop: shop, lines: lines, logger: boot.logger)
            let server = HTTPService(
                boot, checks: [],
                description: APIDescription(
                    "fault-agent", about: "Breaks the shop on demand, and says what mended it.",
                    operations: TrialRoutes.operations)
            ) { _, guarded in TrialRoutes(trials: trials).add(to: guarded) }
            return [http, lines, trials, server]
        }
    }
}
