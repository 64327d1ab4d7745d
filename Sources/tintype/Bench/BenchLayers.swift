import Diffusion
import Tensors

/// What the operations of one component took, kind by kind: `tintype bench --layers`.
struct BenchLayers: Encodable {
  struct Row: Encodable {
    let operation: String
    /// In one evaluation of the component.
    let calls: Int
    /// Of all these calls: calls times the median call.
    let seconds: Double
    /// What all threads together computed in them: to be trusted where the machine has other work, too.
    let processorSeconds: Double
    /// 0 for operations whose arithmetic is not what they take their time for.
    let gflops: Double
    let fractionOfPeak: Double
  }

  /// The longest first.
  let rows: [Row]

  /// - Parameters:
  ///   - layers: of `evaluations` evaluations.
  ///   - peakGflops: what the processor can do at most.
  init(_ layers: [ProfilingDevice.Layer], evaluations: Int, peakGflops: Double) {
    rows = layers.map { layer in
      var samples = Samples()
      for seconds in layer.seconds { samples.append(seconds) }
      var processor = Samples()
      for seconds in layer.processorSeconds { processor.append(seconds) }
      let gflops = 2 * Double(layer.work) / 1e9 / max(samples.median, 1e-9)
      let calls = layer.seconds.count / evaluations
      return Row(
        operation: layer.name, calls: calls, seconds: Double(calls) * samples.median,
        processorSeconds: Double(calls) * processor.median, gflops: gflops,
        fractionOfPeak: gflops / peakGflops)
    }.sorted { ($0.seconds, $0.operation) > ($1.seconds, $1.operation) }
  }

  func encode(to encoder: any Encoder) throws { try rows.encode(to: encoder) }

  /// A table; what takes less than a two-hundredth of the component is one line.
  func print(title: String) {
    let total = rows.reduce(0) { $0 + $1.seconds }
    var table = TextTable([
      .init(heading: title.uppercased()), .init(heading: "CALLS", alignsRight: true),
      .init(heading: "MS", alignsRight: true), .init(heading: "PROCESSOR MS", alignsRight: true),
      .init(heading: "SHARE", alignsRight: true),
      .init(heading: "GFLOP/S", alignsRight: true), .init(heading: "OF PEAK", alignsRight: true),
    ])
    func append(_ name: String, calls: Int, seconds: Double, processorSeconds: Double, of row: Row?) {
      table.append([
        name, String(calls), BenchReport.decimal(1000 * seconds, 1), BenchReport.decimal(1000 * processorSeconds, 1),
        BenchReport.decimal(100 * seconds / max(total, 1e-9), 1) + " %",
        row.flatMap { $0.gflops > 0 ? BenchReport.decimal($0.gflops, 0) : nil },
        row.flatMap { $0.gflops > 0 ? BenchReport.decimal($0.fractionOfPeak, 2) : nil },
      ])
    }
    for row in rows where row.seconds >= total / 200 {
      append(row.operation, calls: row.calls, seconds: row.seconds, processorSeconds: row.processorSeconds, of: row)
    }
    let rest = rows.filter { $0.seconds < total / 200 }
    if !rest.isEmpty {
      append(
        "\(rest.count) other kinds", calls: rest.reduce(0) { $0 + $1.calls },
        seconds: rest.reduce(0) { $0 + $1.seconds }, processorSeconds: rest.reduce(0) { $0 + $1.processorSeconds },
        of: nil)
    }
    Swift.print(table.rendered())
  }
}
