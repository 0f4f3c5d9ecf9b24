extension BenchReport {
    /// The processor time of one settled order, a bar for each run, by the process that used it.
    var processorPicture: String {
        let shown = rows.filter { $0.figures != nil }
        let (left, width, step, top) = (190.0, 480.0, 24.0, 76.0)
        var picture = Picture(width: left + width + 90, height: top + step * Double(shown.count) + 16)
        picture.text("Processor time of one settled order, by process", x: 16, y: 24, size: 15)
        var legend = 16.0
        for (number, name) in Self.processes.enumerated() {
            picture.bar(x: legend, y: 40, width: 12, height: 12, colour: Picture.colours[number])
            picture.text(name, x: legend + 18, y: 50)
            legend += 34 + 7 * Double(name.count)
        }
        let longest = shown.map(total).max() ?? 0
        guard longest > 0 else { return picture.svg }
        for (number, row) in shown.enumerated() {
            let y = top + step * Double(number)
            picture.text(row.scenario.name, x: left - 10, y: y + 13, .end)
            var x = left
            for (index, name) in Self.processes.enumerated() {
                let part = width * max(0, row.figures?.microseconds[name] ?? 0) / longest
                picture.bar(x: x, y: y, width: part, height: step - 6, colour: Picture.colours[index])
                x += part
            }
            picture.text("\(total(row).short) µs", x: x + 8, y: y + 13)
        }
        return picture.svg
    }

    private func total(_ row: Row) -> Double {
        Self.processes.reduce(0) { $0 + max(0, row.figures?.microseconds[$1] ?? 0) }
    }
}
