internal import CProcessor
package import KernelInterface

/// Rounding inputs to bytes.
extension VectorKernels {
  package static func int8Round(_ task: Int8LinearTask, blocks: Range<Int>) {
    for index in blocks {
      let block = unsafe Int8RowBlock(task, block: index)
      unsafe measure(block, task)
      unsafe round(block, task)
    }
  }

  /// Finds the scale and the zero of each row.
  @inline(__always)
  private static func measure(_ block: Int8RowBlock, _ task: Int8LinearTask) {
    for row in unsafe block.rows {
      let source = unsafe task.source + row &* task.depth
      var (low, high, poison) = (Vector.zero, Vector.zero, Vector.zero)
      var step = 0
      while unsafe step < task.depth {
        let x = unsafe (source + step).prefix(min(task.depth &- step, Vector.scalarCount))
        low = vector_smaller(low, x)
        high = vector_larger(high, x)
        // NaN once anything is not finite: the comparisons above would lose a NaN, and the scale must not.
        poison = vector_multiply_add(x, .zero, poison)
        step &+= Vector.scalarCount
      }
      let least = vector_minimum(low)
      let range = vector_maximum(high) - least
      // A smaller range has no inverse, and is zero as far as anything can tell.
      let isZero = range < 1e-30
      let inverse = isZero ? 0 : 254 / range
      let slot = unsafe row &- block.rows.lowerBound
      unsafe block.inverses[slot] = inverse
      unsafe block.scales[slot] = (isZero ? 0 : range / 254) + poison.sum()
      let zero = nearestInteger(-(least * inverse))
      unsafe block.zeros[slot] = zero
    }
  }

  /// Writes the bytes.
  @inline(never)
  private static func round(_ block: Int8RowBlock, _ task: Int8LinearTask) {
    let last = unsafe block.rows.count &- 1
    let lanes = Vector.scalarCount
    for group in unsafe 0..<Int8Layout.groups(task.depth) {
      let start = group &* Int8Layout.groupDepth
      let isWhole = unsafe start &+ Int8Layout.groupDepth <= task.depth
      var quad = 0
      while quad < Int8Layout.groupQuads {
        let lines = unsafe block.lines + (group &* Int8Layout.groupQuads &+ quad) &* Int8Shape.lineWords
        if isWhole {
          unsafe transpose(into: lines) { slot in
            let row = min(slot, last)
            let source = unsafe task.source + ((block.rows.lowerBound &+ row) &* task.depth &+ start &+ quad)
            return unsafe bytes(block, row) { unsafe source.vector(at: $0 &* Int8Layout.groupQuads) }
          }
        } else {
          unsafe transpose(into: lines) { slot in
            let row = min(slot, last)
            let source = unsafe task.source + (block.rows.lowerBound &+ row) &* task.depth
            return unsafe bytes(block, row) { member in
              let step = start &+ member &* Int8Layout.groupQuads &+ quad
              let count = unsafe min(task.depth &- step, lanes)
              return unsafe count > 0 ? (source + step).prefix(count) : .zero
            }
          }
        }
        quad &+= lanes
      }
    }
  }

  /// Four vectors of a row as bytes, four to a lane.
  @inline(__always)
  private static func bytes(_ block: Int8RowBlock, _ slot: Int, _ source: (Int) -> Vector) -> IntegerVector {
    let inverse = unsafe Vector(repeating: block.inverses[slot])
    // At 1.5 · 2²³ a float's last bit is worth 1, so the addition rounds, and the byte is in its low bits.
    let shift = unsafe Vector(repeating: 12_582_912 + Float(block.zeros[slot]))
    // Two operations on purpose: fused, they would round once, and other instruction sets twice.
    return vector_pack_low_bytes(
      vector_bits(source(0) * inverse + shift), vector_bits(source(1) * inverse + shift),
      vector_bits(source(2) * inverse + shift), vector_bits(source(3) * inverse + shift))
  }

  /// Writes one square of words: a vector of each row, column by column.
  @inline(__always)
  private static func transpose(into lines: UnsafeMutablePointer<Int32>, _ row: (Int) -> IntegerVector) {
    let target = unsafe UnsafeMutableRawPointer(lines).assumingMemoryBound(to: Float.self)
    if Int8Shape.words == 1 {
      transposeSquare {
        vector_from_bits(row($0))
      } _: { index, column in
        unsafe target.store(column, at: index &* Int8Shape.lineWords)
      }
    } else {
      transposeSquare {
        vector_from_bits(row($0))
      } _: { index, column in
        let words = unsafe target + index &* Int8Shape.lineWords
        unsafe words.store(vector_from_bits(vector_even_inputs(vector_bits(column))), at: 0)
        unsafe words.store(vector_from_bits(vector_odd_inputs(vector_bits(column))), at: Vector.scalarCount)
      }
    }
  }
}

/// The nearest integer, half to even; for numbers from 0 to 255.
@inline(__always)
private func nearestInteger(_ x: Float) -> Int32 { Int32(bitPattern: (x + 12_582_912).bitPattern) & 0xFFFF }
