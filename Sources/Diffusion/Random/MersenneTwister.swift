/// The 32-bit Mersenne Twister, mt19937, as Matsumoto and Nishimura published it (1998; initialisation of 2002).
struct MersenneTwister: Sendable {
  private var state: [UInt32]
  private var index: Int

  /// The generator that `init_genrand(seed)` gives.
  init(seed: UInt32) {
    state = [UInt32](repeating: seed, count: Self.size)
    for i in 1..<Self.size {
      let previous = state[i - 1]
      state[i] = 1_812_433_253 &* (previous ^ (previous >> 30)) &+ UInt32(i)
    }
    index = Self.size
  }

  /// The next 32 bits.
  mutating func next() -> UInt32 {
    if index == Self.size { twist() }
    var y = state[index]
    index += 1
    y ^= y >> 11
    y ^= (y << 7) & 0x9d2c_5680
    y ^= (y << 15) & 0xefc6_0000
    return y ^ (y >> 18)
  }

  /// Replaces the whole state by the next 624 untempered words.
  private mutating func twist() {
    for i in 0..<Self.size {
      let y = (state[i] & 0x8000_0000) | (state[(i + 1) % Self.size] & 0x7fff_ffff)
      state[i] = state[(i + Self.shift) % Self.size] ^ (y >> 1) ^ (y & 1 == 1 ? 0x9908_b0df : 0)
    }
    index = 0
  }

  private static let size = 624
  private static let shift = 397
}
