internal import Foundation
internal import Tensors

/// What the command line asks for.
struct Selection: Sendable {
  /// Threads of the device; nil: all.
  let threads: Int?
  private let groups: Set<String>
  private let only: String?

  init(_ arguments: [String]) {
    var rest = arguments[...]
    if let place = rest.firstIndex(of: "--only") {
      only = place + 1 < rest.endIndex ? rest[place + 1] : nil
      rest = rest[..<place] + rest[(place + 1)...].dropFirst()
    } else {
      only = nil
    }
    threads = rest.compactMap { Int($0) }.first
    groups = Set(rest.filter { Int($0) == nil })
  }

  /// Whether a group of kernels is to be timed.
  func wants(group: String) -> Bool { groups.isEmpty || groups.contains(group) }

  /// Whether one case is.
  func wants(_ name: String) -> Bool { only.map(name.contains) ?? true }
}

/// Of this process.
let selection = Selection(Array(CommandLine.arguments.dropFirst()))

/// Where results live, as those of a picture do: memory from the system would be zeroed in every call.
private let arena = TensorArena()

/// Runs a kernel for a third of a second, at least three times, and prints the median.
///
/// - Parameters:
///   - operations: of one call.
///   - unit: a thousand million operations a second.
func report(
  _ name: String, _ operations: Double, _ device: CPUDevice, unit: String = "GFLOP/s", _ body: () throws -> Void
) throws {
  func call() throws { try TensorArena.$current.withValue(arena) { try body() } }
  try call()
  var wall: [Double] = []
  var processor: [Double] = []
  let clock = ContinuousClock()
  let start = clock.now
  while wall.count < 3 || clock.now - start < .milliseconds(300) {
    let (begun, used) = (clock.now, ProcessorTime.seconds)
    try call()
    wall.append((clock.now - begun) / .seconds(1))
    processor.append(ProcessorTime.seconds - used)
  }
  wall.sort()
  processor.sort()
  let (elapsed, busy) = (wall[wall.count / 2], processor[processor.count / 2])
  let text = String(
    format: "%8.2f ms  %7.1f \(unit)  %7.1f per processor-second", elapsed * 1000, operations / elapsed / 1e9,
    operations / busy / 1e9)
  print(name.padding(toLength: 32, withPad: " ", startingAt: 0), text)
}

/// Numbers about zero, the same in every run.
struct Numbers {
  private var state: UInt64 = 88_172_645_463_325_252

  mutating func tensor(_ shape: [Int]) -> Tensor {
    Tensor((0..<shape.reduce(1, *)).map { _ in next() }, shape: shape)
  }

  /// A weight in half precision, as checkpoints have them.
  mutating func parameter(_ shape: [Int]) -> Parameter {
    let owner = Bytes(count: 2 * shape.reduce(1, *))
    unsafe owner.bytes.withMemoryRebound(to: UInt16.self) { halves in
      for index in halves.indices { unsafe halves[index] = Float16(next() * 0.1).bitPattern }
    }
    return unsafe Parameter(
      name: "weight", dtype: .float16, shape: shape, bytes: UnsafeRawBufferPointer(owner.bytes), owner: owner)
  }

  private mutating func next() -> Float {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return Float(state >> 40) / 16_777_216 - 0.5
  }
}

/// Memory that a weight refers to; unchecked, but nobody writes it once the weight exists.
@safe final class Bytes: @unchecked Sendable {
  let bytes: UnsafeMutableRawBufferPointer

  init(count: Int) { unsafe bytes = .allocate(byteCount: count, alignment: 64) }

  deinit { unsafe bytes.deallocate() }
}
