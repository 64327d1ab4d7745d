public import CoreMetrics
internal import Synchronization

/// Keeps what swift-metrics' counters, gauges and timers are told, and writes it as Prometheus reads it.
///
/// A metric is a family, with one series for each set of dimensions. Names, units and help follow Prometheus' conventions:
/// base units (seconds, bytes), `_total` on counters; whoever makes a metric names it so, and this refuses nothing but names
/// that Prometheus could not read, whose characters become underscores.
public final class PrometheusRegistry: MetricsFactory {
  private let families = Mutex<[String: Family]>([:])
  private let help: [String: String]

  /// - Parameter help: a sentence for each metric's name.
  public init(help: [String: String]) {
    self.help = help
  }

  /// A series that only grows.
  public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
    series(label, dimensions, .counter) { CounterSeries() }
  }

  /// A histogram, or with `aggregate` false the last value alone.
  public func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
    aggregate
      ? series(label, dimensions, .histogram) { HistogramSeries() }
      : series(label, dimensions, .gauge) { GaugeSeries() }
  }

  /// The last value.
  public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
    series(label, dimensions, .gauge) { GaugeSeries() }
  }

  /// Timers are histograms of seconds.
  public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
    series(label, dimensions, .histogram) { HistogramSeries() }
  }

  /// Keeps it: a counter that vanished would read as a restart.
  public func destroyCounter(_ handler: any CounterHandler) {}
  /// Keeps it, with its last value.
  public func destroyMeter(_ handler: any MeterHandler) {}
  /// Keeps it.
  public func destroyRecorder(_ handler: any RecorderHandler) {}
  /// Keeps it.
  public func destroyTimer(_ handler: any TimerHandler) {}

  /// Everything in the text format, families in the order of their names, each with its help and type.
  public func text() -> String {
    let all = families.withLock { $0 }
    return all.sorted { $0.key < $1.key }.map { name, family in
      var lines = ["# TYPE \(name) \(family.kind.rawValue)"]
      if let help = help[name] { lines.insert("# HELP \(name) \(escaped(help, quotes: false))", at: 0) }
      for (labels, series) in family.series.sorted(by: { $0.key < $1.key }) {
        lines += series.lines(name: name, labels: labels)
      }
      return lines.joined(separator: "\n") + "\n"
    }.joined()
  }

  /// The series of this name and these dimensions, made when it is asked for first.
  private func series<S: PrometheusSeries>(
    _ label: String, _ dimensions: [(String, String)], _ kind: Family.Kind, make: () -> S
  ) -> S {
    let labels = dimensions.map { "\(legal($0.0))=\"\(escaped($0.1, quotes: true))\"" }.sorted().joined(separator: ",")
    return families.withLock { families in
      var family = families[legal(label)] ?? Family(kind: kind)
      if let known = family.series[labels] as? S { return known }
      let made = make()
      // One name, two kinds: a mistake of the caller. Its numbers go nowhere, and the scrape stays readable.
      guard family.kind == kind else { return made }
      family.series[labels] = made
      families[legal(label)] = family
      return made
    }
  }
}

private struct Family {
  enum Kind: String { case counter, gauge, histogram }
  let kind: Kind
  /// By their labels as they are written.
  var series: [String: any PrometheusSeries] = [:]
}

private func legal(_ name: String) -> String {
  let characters = name.map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == ":") ? $0 : "_" }
  return (characters.first?.isNumber == true ? "_" : "") + String(characters)
}

private func escaped(_ text: String, quotes: Bool) -> String {
  let plain = text.replacing("\\", with: "\\\\").replacing("\n", with: "\\n")
  return quotes ? plain.replacing("\"", with: "\\\"") : plain
}
