/// The exposition format, version 0.0.4:
/// https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format.
struct PrometheusText {
    private(set) var text = ""

    mutating func header(name: String, help: String, kind: PrometheusKind) {
        let help = help.replacing("\\", with: "\\\\").replacing("\n", with: "\\n")
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
    }

    mutating func sample(_ name: String, _ labels: String, _ value: Double) {
        text += labels.isEmpty ? "\(name) \(Self.number(value))\n" : "\(name){\(labels)} \(Self.number(value))\n"
    }

    mutating func add(_ cell: PrometheusCell, name: String, labels: String) {
        switch cell {
        case .counter(let counter): sample(name, labels, counter.value)
        case .gauge(let gauge): sample(name, labels, gauge.value)
        case .histogram(let histogram): add(histogram, name: name, labels: labels)
        }
    }

    private mutating func add(_ histogram: PrometheusHistogram, name: String, labels: String) {
        let state = histogram.state
        let prefix = labels.isEmpty ? "" : labels + ","
        var total: UInt64 = 0
        for (bound, count) in zip(histogram.bounds + [.infinity], state.counts) {
            total += count
            sample("\(name)_bucket", "\(prefix)le=\"\(Self.number(bound))\"", Double(total))
        }
        sample("\(name)_sum", labels, histogram.sum(state))
        sample("\(name)_count", labels, Double(total))
    }

    /// `[a-zA-Z_:][a-zA-Z0-9_:]*`, ending in `suffix`.
    static func name(_ label: String, suffix: String) -> String {
        let name = sanitised(label, allowingColon: true)
        return name.hasSuffix(suffix) ? name : name + suffix
    }

    /// `method="GET",status="200"`, sorted by name so that the order in the code does not matter; of a name given
    /// twice the last one counts.
    static func labels(_ dimensions: [(String, String)]) -> String {
        var values: [String: String] = [:]
        for (name, value) in dimensions { values[sanitised(name, allowingColon: false)] = value }
        return values.sorted { $0.key < $1.key }.map { "\($0.key)=\"\(escaped($0.value))\"" }.joined(separator: ",")
    }

    /// Whole numbers without a fraction, as most samples are.
    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        return Int64(exactly: value).map { String($0) } ?? String(value)
    }

    private static func sanitised(_ text: String, allowingColon: Bool) -> String {
        let name = String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { scalar in
                    let isWord =
                        scalar.isASCII && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil)
                    return isWord || (allowingColon && scalar == ":") ? scalar : "_"
                }))
        guard let first = name.unicodeScalars.first, first.properties.numericType == nil else { return "_" + name }
        return name
    }

    private static func escaped(_ value: String) -> String {
        value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }
}
