extension ScaleReport {
    /// For a terminal: the machine, and a table for each part.
    var text: String {
        var lines = [machine.text]
        for part in ScalePart.allCases where part != .idle {
            let its = runs.filter { $0.part == part }
            guard !its.isEmpty else { continue }
            lines.append("\(part.rawValue): \(part.title)\n")
            lines.append(part == .snapshot ? Self.courses(its) : Self.costs(its, part))
        }
        if let idle { lines.append(idle.text) }
        for run in runs {
            let name = "\(run.part.rawValue) \(run.what), \(run.row.scenario.name)"
            if let figures = run.row.figures, figures.errors > 0 {
                lines.append("\(name): \(figures.errors) errors: \(figures.errorSummary)")
            }
            lines += run.row.disagreementLines.map { "\(run.part.rawValue) \(run.what), \($0)" }
        }
        if let warning = BenchReport.noise(runs.compactMap(\.row.figures)) { lines.append(warning) }
        return lines.joined(separator: "\n")
    }

    private static func costs(_ runs: [Run], _ part: ScalePart) -> String {
        var table = TextTable([
            ("", [part.rawValue]), ("", ["mode"]), ("orders", ["placed/s", "settled/s"]),
            ("request, ms", ["p50", "p99"]), ("to archive, ms", ["p50", "p99"]),
            ("processor, µs an order", ["postgres", "services", "all"]), ("an order", ["commits", "WAL kB"]),
            ("peak MB", Processes.services), ("others", ["%"]),
        ])
        for run in runs {
            let scenario = run.row.scenario
            guard let figures = run.row.figures else {
                table.add([run.what, scenario.mode, "no figure"])
                continue
            }
            let request = [50, 99].map { figures.request(at: $0)?.short ?? "-" }
            let peaks = Processes.services.map { figures.peaks[$0].map { (Double($0) / 1e6).short } ?? "-" }
            table.add(
                [run.what, scenario.mode, figures.placedPerSecond.short, figures.settledPerSecond.short] + request
                    + figures.archive.prefix(2).map { $0?.short ?? "-" }
                    + [figures.microseconds["postgres"]?.short ?? "-", figures.services.short, figures.all.short]
                    + [figures.commits.short, (figures.walBytes / 1000).short] + peaks
                    + [(figures.othersShare * 100).short])
        }
        return table.text
    }

    /// The first and the last slice of each run side by side.
    private static func courses(_ runs: [Run]) -> String {
        var table = TextTable([
            ("", ["snapshot"]), ("", ["run"]), ("settled/s", ["first", "last", "last/first"]),
            ("to archive p99, ms", ["first", "last"]), ("dead tasks", ["last"]), ("claim, ms", ["first", "last"]),
            ("archive, µs a task", ["first", "last"]), ("statements, µs an order", ["first", "last"]),
            ("others", ["%"]),
        ])
        var growth: [String] = []
        for run in runs {
            guard let figures = run.row.figures, let slices = run.slices, let first = slices.slices.first,
                let last = slices.slices.last
            else {
                table.add([run.what, run.row.scenario.courseName, "no figure"])
                continue
            }
            func both(_ value: (Slices.Slice) -> Double?, times scale: Double = 1) -> [String] {
                [first, last].map { value($0).map { ($0 * scale).short } ?? "-" }
            }
            table.add(
                [run.what, run.row.scenario.courseName] + both { Double($0.settled) / slices.seconds }
                    + [slices.kept?.short ?? "-"] + both(\.p99) + ["\(last.deadTasks)"] + both(\.claim)
                    + both(\.archive, times: 1_000) + both(\.statements, times: 1_000)
                    + [(figures.othersShare * 100).short])
            for one in slices.growth {
                growth.append(
                    """
                    \(run.what), \(run.row.scenario.courseName): \((one.first * 1_000).short) → \
                    \((one.last * 1_000).short) µs an order in \(one.database): \(one.statement)
                    """)
            }
        }
        return table.text + (growth.isEmpty ? "" : "\nwhat grew:\n\(growth.joined(separator: "\n"))\n")
    }
}

extension Scenario {
    /// Its name and its pace.
    fileprivate var courseName: String {
        if case .closed(let clients) = pace { return "\(mode), \(clients) clients" }
        return name
    }
}

extension Figures {
    /// Processor time of an order in the three services, in microseconds.
    var services: Double { Processes.services.reduce(0) { $0 + (microseconds[$1] ?? 0) } }

    /// In all but the load.
    var all: Double { microseconds.filter { $0.key != Processes.load }.values.reduce(0, +) }
}
