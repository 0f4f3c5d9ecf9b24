import ArgumentParser

/// Load on a running suite, and whether its books agree afterwards.
@main
struct LoadTool: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "load",
        abstract: "Places orders at a running suite and checks what became of them.",
        discussion: """
            A line per check, ok or FAIL; the exit code is 1 after a FAIL. The services listen on loopback; SETTLE_TOKEN is \
            their token. Each run makes its own users and products.
            """,
        subcommands: [Orders.self, Settling.self, Idle.self, Bench.self, Scale.self])
}

/// Where the services listen.
struct ServicePorts: ParsableArguments {
    @Option(help: "The port of order.") var order = 8080
    @Option(help: "The port of stock.") var stock = 8081
    @Option(help: "The port of user-points.") var points = 8082
}
