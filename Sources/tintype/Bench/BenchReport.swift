import Diffusion
import Tensors

/// What `tintype bench` prints. Times are medians, in seconds.
struct BenchReport: Encodable {
  struct Component: Encodable {
    let seconds: Double
    /// Multiply-accumulates of one evaluation: the UNet's of one step.
    let work: Work
    /// Evaluations for one picture.
    let evaluations: Int
    let gflops: Double
    /// Of `peakGflops`.
    let fractionOfPeak: Double
  }

  let model: String
  let precision: String
  let width: Int, height: Int, steps: Int, threads: Int, repeats: Int
  let loadSeconds: Double
  let textEncodersSeconds: Double, unetSeconds: Double, vaeDecodeSeconds: Double, vaeEncodeSeconds: Double
  let totalSeconds: Double
  let cachedTotalSeconds: Double
  let firstPictureSeconds: Double
  let peakResidentBytes: Int?
  /// fp32 multiply-adds in registers on as many threads, measured beside it: what the processor can do at most.
  let peakGflops: Double
  let instructionSet: String
  let components: [String: Component]
  /// By component; nil unless asked for.
  let layers: [String: BenchLayers]?

  enum CodingKeys: String, CodingKey {
    case model, precision, width, height, steps, threads, repeats, components, layers
    case loadSeconds = "load_s"
    case textEncodersSeconds = "text_encoders_s"
    case unetSeconds = "unet_s"
    case vaeDecodeSeconds = "vae_decode_s"
    case vaeEncodeSeconds = "vae_encode_s"
    case totalSeconds = "total_s"
    case cachedTotalSeconds = "cached_total_s"
    case firstPictureSeconds = "first_picture_s"
    case peakResidentBytes = "peak_rss_bytes"
    case peakGflops = "peak_gflops"
    case instructionSet = "instruction_set"
  }

  init(
    _ measured: BenchMeasurement, work: [PipelineComponent: Work], model: String, precision: String, threads: Int,
    peakGflops: Double, instructionSet: String
  ) {
    self.model = model
    self.precision = precision
    self.threads = threads
    width = measured.request.width ?? measured.info?.defaultWidth ?? 0
    height = measured.request.height ?? measured.info?.defaultHeight ?? 0
    steps = measured.request.steps
    repeats = measured.repeats
    func seconds(_ component: PipelineComponent) -> Double { measured.components[component]?.median ?? 0 }
    loadSeconds = measured.load.median
    textEncodersSeconds = seconds(.textEncoders)
    unetSeconds = seconds(.unet)
    vaeDecodeSeconds = seconds(.vaeDecode)
    vaeEncodeSeconds = seconds(.vaeEncode)
    totalSeconds = measured.total.median
    cachedTotalSeconds = measured.cachedTotal.median
    firstPictureSeconds = measured.firstPicture.median
    peakResidentBytes = measured.peakResident
    self.peakGflops = peakGflops
    self.instructionSet = instructionSet
    let steps = steps
    components = Dictionary(
      uniqueKeysWithValues: PipelineComponent.allCases.map { component in
        let evaluations = component == .unet ? steps : 1
        let work = work[component] ?? Work()
        // A multiplication and an addition each.
        let gflops = 2 * Double(work.total * evaluations) / 1e9 / max(seconds(component), 1e-9)
        return (
          component.rawValue,
          Component(
            seconds: seconds(component), work: work, evaluations: evaluations, gflops: gflops,
            fractionOfPeak: gflops / peakGflops)
        )
      })
    layers =
      measured.layers.isEmpty
      ? nil
      : Dictionary(
        uniqueKeysWithValues: measured.layers.map { component, layers in
          (component.rawValue, BenchLayers(layers, evaluations: measured.repeats, peakGflops: peakGflops))
        })
  }

  func print(json: Bool) throws {
    if json { return try JSONOutput.print(self) }
    Swift.print(
      "\(model), \(width) × \(height), \(steps) step\(steps == 1 ? "" : "s"), \(precision), \(threads) threads, "
        + "medians of \(repeats)\n")
    var table = TextTable([
      .init(heading: "COMPONENT"), .init(heading: "SECONDS", alignsRight: true),
      .init(heading: "GMAC", alignsRight: true), .init(heading: "GFLOP/S", alignsRight: true),
      .init(heading: "OF PEAK", alignsRight: true),
    ])
    for component in PipelineComponent.allCases {
      guard let row = components[component.rawValue] else { continue }
      table.append([
        component.rawValue, Self.decimal(row.seconds, 3),
        Self.decimal(Double(row.work.total * row.evaluations) / 1e9, 1), Self.decimal(row.gflops, 1),
        Self.decimal(row.fractionOfPeak, 2),
      ])
    }
    Swift.print(table.rendered())
    for component in PipelineComponent.allCases {
      layers?[component.rawValue]?.print(title: component.rawValue)
    }
    var facts = TextTable([.init(heading: "WHOLE"), .init(heading: "", alignsRight: true)])
    facts.append(["text + UNet + decode", "\(Self.decimal(totalSeconds, 3)) s"])
    facts.append(["the same, prompt known", "\(Self.decimal(cachedTotalSeconds, 3)) s"])
    facts.append(["load", "\(Self.decimal(loadSeconds, 3)) s"])
    facts.append(["load to first picture", "\(Self.decimal(firstPictureSeconds, 3)) s"])
    facts.append(["peak resident", peakResidentBytes.map { "\(Self.decimal(Double($0) / 1e9, 3)) GB" }])
    facts.append(["peak probe", "\(Self.decimal(peakGflops, 0)) GFLOP/s, \(instructionSet)"])
    Swift.print(facts.rendered(), terminator: "")
  }

  /// With a point, whatever the locale.
  static func decimal(_ value: Double, _ digits: Int) -> String {
    var scale = 1.0
    for _ in 0..<digits { scale *= 10 }
    let scaled = Int((value * scale).rounded())
    guard digits > 0 else { return String(scaled) }
    let fraction = String(scaled % Int(scale))
    return "\(scaled / Int(scale)).\(String(repeating: "0", count: digits - fraction.count))\(fraction)"
  }
}
