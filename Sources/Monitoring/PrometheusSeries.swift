internal import CoreMetrics
internal import Synchronization

/// One line, or a histogram's lines, of the exposition.
protocol PrometheusSeries: AnyObject, Sendable {
  /// - Parameter labels: `a="b",c="d"`, or empty.
  func lines(name: String, labels: String) -> [String]
}

/// Only ever grows; starts at zero with the process.
final class CounterSeries: PrometheusSeries, CounterHandler {
  private let value = Mutex<Int64>(0)

  func increment(by amount: Int64) { value.withLock { $0 &+= max(amount, 0) } }
  func reset() { value.withLock { $0 = 0 } }

  func lines(name: String, labels: String) -> [String] { [line(name, labels, "\(value.withLock { $0 })")] }
}

/// The last value.
final class GaugeSeries: PrometheusSeries, MeterHandler, RecorderHandler {
  private let value = Mutex<Double>(0)

  func set(_ value: Int64) { set(Double(value)) }
  func set(_ value: Double) { self.value.withLock { $0 = value } }
  func increment(by amount: Double) { value.withLock { $0 += amount } }
  func decrement(by amount: Double) { value.withLock { $0 -= amount } }
  func record(_ value: Int64) { set(Double(value)) }
  func record(_ value: Double) { set(value) }

  func lines(name: String, labels: String) -> [String] { [line(name, labels, number(value.withLock { $0 }))] }
}

/// How many values were at most so large, for bounds from milliseconds to an hour, each two or two and a half times the one
/// before: a picture takes from a tenth of a second to minutes, and its phases less.
final class HistogramSeries: PrometheusSeries, TimerHandler, RecorderHandler {
  static let bounds: [Double] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500,
  ]

  private struct State {
    /// By bound, not cumulative; the last is for what is beyond all of them.
    var counts = [Int](repeating: 0, count: bounds.count + 1)
    var sum = 0.0
  }
  private let state = Mutex(State())

  func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }
  func record(_ value: Int64) { record(Double(value)) }

  func record(_ value: Double) {
    guard value.isFinite else { return }
    state.withLock { state in
      state.counts[Self.bounds.firstIndex { value <= $0 } ?? Self.bounds.count] += 1
      state.sum += value
    }
  }

  func lines(name: String, labels: String) -> [String] {
    let state = state.withLock { $0 }
    var total = 0
    let separator = labels.isEmpty ? "" : ","
    let buckets = zip(Self.bounds.map(number) + ["+Inf"], state.counts).map { bound, count in
      total += count
      return line("\(name)_bucket", "\(labels)\(separator)le=\"\(bound)\"", "\(total)")
    }
    return buckets + [line("\(name)_sum", labels, number(state.sum)), line("\(name)_count", labels, "\(total)")]
  }
}

private func line(_ name: String, _ labels: String, _ value: String) -> String {
  labels.isEmpty ? "\(name) \(value)" : "\(name){\(labels)} \(value)"
}

/// As Go, which Prometheus is written in, reads it.
private func number(_ value: Double) -> String {
  if value.isNaN { return "NaN" }
  if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
  return value == value.rounded() && abs(value) < 1e15 ? String(Int64(value)) : "\(value)"
}
