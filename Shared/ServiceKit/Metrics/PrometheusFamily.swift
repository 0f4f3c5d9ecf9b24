/// What `# TYPE` says.
enum PrometheusKind: String, Sendable {
    case counter, gauge, histogram
}

/// All series of one name.
struct PrometheusFamily: Sendable {
    let kind: PrometheusKind
    /// As the code calls it, before it was made to fit.
    let label: String
    /// By their rendered labels.
    var series: [String: PrometheusCell] = [:]
}

/// One series.
enum PrometheusCell: Sendable {
    case counter(PrometheusCounter)
    case gauge(PrometheusGauge)
    case histogram(PrometheusHistogram)

    // A cell is looked up by its kind, so the other cases do not occur; were they to, a handler that is shown nowhere
    // is better than a crash over a metric.

    var asCounter: PrometheusCounter {
        if case .counter(let counter) = self { counter } else { PrometheusCounter() }
    }

    var asGauge: PrometheusGauge {
        if case .gauge(let gauge) = self { gauge } else { PrometheusGauge() }
    }

    var asHistogram: PrometheusHistogram {
        if case .histogram(let histogram) = self {
            histogram
        } else {
            PrometheusHistogram(bounds: PrometheusHistogram.countBounds, divisor: 1)
        }
    }
}
