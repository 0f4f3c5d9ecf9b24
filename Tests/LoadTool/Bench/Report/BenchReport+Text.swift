extension BenchReport {
    /// Whose processor time is shown, in this order.
    static let processes = [
        "order", "stock", "user-points", "postgres", "rabbitmq", "redis", Processes.load,
    ]
    static let services = ["order", "stock", "user-points"]

    /// For a terminal: the machine, the table, the floor.
    var text: String {
        let settings = machine.settings.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
        var lines = [
            "\(machine.cores) × \(machine.processor), \((Double(machine.memoryBytes) / 1e9).short) GB",
            "PostgreSQL \(machine.postgres): \(settings.joined(separator: ", "))",
            "\(machine.build) builds; the load runs on the same machine", "",
        ]
        var table = TextTable([
            ("", [""]), ("orders", ["placed/s", "settled/s", "errors"]), ("request, ms", ["p50", "p99", "p99.9"]),
            ("to archive, ms", ["p50", "p99"]),
            (
                "processor, µs an order",
                ["order", "stock", "user-points", "postgres", "rabbitmq", "redis", Processes.load]
            ),
            ("an order", ["commits", "WAL kB"]), ("peak MB", Self.services), ("settled", ["/ floor"]),
            ("others", ["%"]),
        ])
        for row in rows { table.add(cells(row)) }
        lines.append(table.text)
        if let floor { lines.append(text(floor)) }
        for row in rows {
            if let figures = row.figures, figures.errors > 0 {
                lines.append("\(row.scenario.name): \(figures.errors) errors: \(figures.errorSummary)")
            }
            if row.figures == nil {
                lines.append("\(row.scenario.name): NO FIGURE, the books do not agree:")
                lines += row.disagreements.prefix(10).map { "  \($0)" }
            }
        }
        let share = rows.compactMap(\.figures?.othersShare).max() ?? 0
        if share > 0.1 {
            lines.append(
                "NOT A QUIET MACHINE: something else had up to \((share * 100).short) % of its processors (column others)."
            )
        }
        return lines.joined(separator: "\n")
    }

    private func cells(_ row: Row) -> [String] {
        guard let figures = row.figures else { return [row.scenario.name, "no figure"] }
        let request = [50, 99, 99.9].map { figures.request(at: $0)?.short ?? "-" }
        let archive = figures.archive.prefix(2).map { $0?.short ?? "-" }
        let processor = Self.processes.map { figures.microseconds[$0]?.short ?? "-" }
        let peaks = Self.services.map { figures.peaks[$0].map { (Double($0) / 1e6).short } ?? "-" }
        let ratio = floor.map { (figures.settledPerSecond / $0.mean).short } ?? "-"
        return [row.scenario.name, figures.placedPerSecond.short, figures.settledPerSecond.short, "\(figures.errors)"]
            + request + archive + processor
            + [figures.commits.short, (figures.walBytes / 1000).short] + peaks
            + [ratio, (figures.othersShare * 100).short]
    }

    private func text(_ floor: Floor) -> String {
        let runs = floor.ordersPerSecond.map(\.short).joined(separator: " before, ")
        return """
            floor: PostgreSQL alone writes \(floor.mean.short) orders/s (\(runs) after): pgbench, prepared, pipelined, 32 \
            clients, order's own statements on its own tables
            floor: RabbitMQ alone takes \(floor.broker.confirmsPerSecond.short) messages/s (persistent, confirmed) and gives \
            \(floor.broker.deliveriesPerSecond.short)/s (acknowledged)

            """
    }
}
