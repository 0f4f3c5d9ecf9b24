extension BenchReport {
    /// Whose processor time is shown, in this order.
    static let processes = Processes.services + ["postgres", "rabbitmq", "redis", Processes.load]

    /// For a terminal: the machine, the table, the floor.
    var text: String {
        var lines = [machine.text]
        var table = TextTable([
            ("", [""]), ("orders", ["placed/s", "settled/s", "errors"]), ("request, ms", ["p50", "p99", "p99.9"]),
            ("to archive, ms", ["p50", "p99"]),
            ("processor, µs an order", Self.processes),
            ("an order", ["commits", "WAL kB"]), ("peak MB", Processes.services), ("settled", ["/ floor"]),
            ("others", ["%"]),
        ])
        for row in rows { table.add(cells(row)) }
        lines.append(table.text)
        if let floor { lines.append(text(floor)) }
        if let idle { lines.append(idle.text) }
        for row in rows {
            if let figures = row.figures, figures.errors > 0 {
                lines.append("\(row.scenario.name): \(figures.errors) errors: \(figures.errorSummary)")
            }
            lines += row.disagreementLines
        }
        if let warning = Self.noise(rows.compactMap(\.figures)) { lines.append(warning) }
        return lines.joined(separator: "\n")
    }

    /// Nil where the machine had nothing else to do.
    static func noise(_ figures: [Figures]) -> String? {
        let share = figures.map(\.othersShare).max() ?? 0
        guard share > 0.1 else { return nil }
        return
            "NOT A QUIET MACHINE: something else had up to \((share * 100).short) % of its processors (column others)."
    }

    private func cells(_ row: Row) -> [String] {
        guard let figures = row.figures else { return [row.scenario.name, "no figure"] }
        let request = [50, 99, 99.9].map { figures.request(at: $0)?.short ?? "-" }
        let archive = figures.archive.prefix(2).map { $0?.short ?? "-" }
        let processor = Self.processes.map { figures.microseconds[$0]?.short ?? "-" }
        let peaks = Processes.services.map { figures.peaks[$0].map { (Double($0) / 1e6).short } ?? "-" }
        let ratio = row.floor.map { (figures.settledPerSecond / $0).short } ?? "-"
        return [row.scenario.name, figures.placedPerSecond.short, figures.settledPerSecond.short, "\(figures.errors)"]
            + request + archive + processor
            + [figures.commits.short, (figures.walBytes / 1000).short] + peaks
            + [ratio, (figures.othersShare * 100).short]
    }

    private func text(_ floor: Floor) -> String {
        let (least, most) = (floor.ordersPerSecond.min() ?? 0, floor.ordersPerSecond.max() ?? 0)
        return """
            floor: PostgreSQL alone writes \(least.short) to \(most.short) orders/s, measured before the first run and after \
            each: pgbench, prepared, pipelined, 32 clients, order's own statements on its own tables
            floor: RabbitMQ alone takes \(floor.broker.confirmsPerSecond.short) messages/s (persistent, confirmed) and gives \
            \(floor.broker.deliveriesPerSecond.short)/s (acknowledged)

            """
    }
}

extension BenchReport.Machine {
    /// The head of a report.
    var text: String {
        let settings = settings.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
        return """
            \(cores) × \(processor), \((Double(memoryBytes) / 1e9).short) GB
            PostgreSQL \(postgres): \(settings.joined(separator: ", "))
            \(build) builds; the load runs on the same machine

            """
    }
}

extension BenchReport.Row {
    /// What did not agree, for a person to read.
    var disagreementLines: [String] {
        guard figures == nil else { return [] }
        return ["\(scenario.name): NO FIGURE, the books do not agree:"] + disagreements.prefix(10).map { "  \($0)" }
    }
}
