internal import Foundation
internal import Tensors

/// Runs a kernel for a third of a second, at least three times, and prints the median.
func report(_ name: String, _ operations: Double, _ device: CPUDevice, _ body: () throws -> Void) throws {
  try body()
  var wall: [Double] = []
  var processor: [Double] = []
  let clock = ContinuousClock()
  let start = clock.now
  while wall.count < 3 || clock.now - start < .milliseconds(300) {
    let (begun, used) = (clock.now, processorSeconds())
    try body()
    wall.append((clock.now - begun) / .seconds(1))
    processor.append(processorSeconds() - used)
  }
  wall.sort()
  processor.sort()
  let (elapsed, busy) = (wall[wall.count / 2], processor[processor.count / 2])
  let text = String(
    format: "%8.2f ms  %6.0f GFLOP/s  %6.0f per processor-second", elapsed * 1000, operations / elapsed / 1e9,
    operations / busy / 1e9)
  print(name.padding(toLength: 28, withPad: " ", startingAt: 0), text)
}

/// Seconds that all threads of the process have computed.
func processorSeconds() -> Double {
  var time = timespec()
  unsafe clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
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
