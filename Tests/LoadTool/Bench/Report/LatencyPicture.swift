import Foundation

extension BenchReport {
    /// The request's latency by percentile, a line for each run: of the open loops, or else of the plain closed ones.
    var latencyPicture: String {
        let open = rows.filter { if case .open = $0.scenario.pace { true } else { false } }
        let plain = rows.filter {
            $0.scenario.products == Scenario.all && !$0.scenario.hasKey && !$0.scenario.spendsPoints
        }
        let shown = (open.isEmpty ? plain : open).filter { $0.figures?.request.isEmpty == false }
        var picture = Picture(width: 760, height: 420)
        picture.text("POST /orders: latency by percentile, from the intended start", x: 70, y: 24, size: 15)
        let values = shown.flatMap { $0.figures?.request ?? [] }.filter { $0 > 0 }
        guard let least = values.min(), let most = values.max() else { return picture.svg }
        let decades = (
            low: log10(least).rounded(.down), high: max(log10(most).rounded(.up), log10(least).rounded(.down) + 1)
        )
        let (left, right, top, bottom) = (70.0, 560.0, 50.0, 370.0)
        func y(_ milliseconds: Double) -> Double {
            bottom - (bottom - top) * (max(log10(milliseconds), decades.low) - decades.low)
                / (decades.high - decades.low)
        }
        // Each nine as wide as the one before it.
        func x(_ percent: Double) -> Double {
            let (first, last) = (-log10(0.5), -log10(0.0001))
            return left + (right - left) * (-log10(1 - percent / 100) - first) / (last - first)
        }
        for decade in stride(from: decades.low, through: decades.high, by: 1) {
            let value = pow(10, decade)
            picture.line([(left, y(value)), (right, y(value))], colour: "#dddddd", width: 1)
            picture.text("\(value < 1 ? "\(value)" : "\(Int(value))") ms", x: left - 8, y: y(value) + 4, .end)
        }
        for percent in [50, 90, 99, 99.9, 99.99] {
            picture.line([(x(percent), top), (x(percent), bottom)], colour: "#dddddd", width: 1)
            let label = percent == percent.rounded() ? "\(Int(percent))" : "\(percent)"
            picture.text("p\(label)", x: x(percent), y: bottom + 18, .middle)
        }
        for (number, row) in shown.enumerated() {
            let colour = Picture.colours[number % Picture.colours.count]
            let points = zip(Figures.percents, row.figures?.request ?? []).map { (x: x($0), y: y($1)) }
            picture.line(points, colour: colour)
            picture.bar(x: right + 16, y: top + Double(number) * 22, width: 12, height: 12, colour: colour)
            picture.text(row.scenario.name, x: right + 34, y: top + Double(number) * 22 + 10)
        }
        return picture.svg
    }
}
