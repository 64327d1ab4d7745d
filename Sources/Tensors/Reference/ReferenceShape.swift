extension ReferenceDevice {
  /// Copies one table row per id.
  public func embedding(_ ids: [[Int32]], table: Parameter) throws -> Tensor {
    precondition(table.shape.count == 2, "\(table.name): an embedding table is [V, C], not \(table.shape)")
    let (vocabulary, channels) = (table.shape[0], table.shape[1])
    let length = ids.first?.count ?? 0
    precondition(ids.allSatisfy { $0.count == length }, "embedding: sequences of different lengths")
    precondition(ids.joined().allSatisfy { 0 <= $0 && $0 < vocabulary }, "embedding: id outside 0..<\(vocabulary)")
    let rows = ids.joined().flatMap { id in
      (0..<channels).map { Self.element(Int(id) * channels + $0, of: table) }
    }
    return Tensor(rows, shape: [ids.count, length, channels])
  }

  /// Row by row: a, then b.
  public func concatenate(_ a: Tensor, _ b: Tensor) throws -> Tensor {
    precondition(a.shape.dropLast() == b.shape.dropLast(), "concatenate: \(a.shape) and \(b.shape) do not line up")
    let (first, second) = (a.array, b.array)
    let (widthA, widthB) = (a.shape[a.shape.count - 1], b.shape[b.shape.count - 1])
    var result: [Float] = []
    for row in 0..<a.count / widthA {
      result.append(contentsOf: first[row * widthA..<(row + 1) * widthA])
      result.append(contentsOf: second[row * widthB..<(row + 1) * widthB])
    }
    return Tensor(result, shape: Array(a.shape.dropLast()) + [widthA + widthB])
  }

  /// Copies the pixel that `nearestSource` names.
  public func upsampleNearest(_ x: Tensor, height: Int, width: Int) throws -> Tensor {
    precondition(x.shape.count == 4, "upsampleNearest: x is [N, H, W, C], not \(x.shape)")
    let (batch, inHeight, inWidth, channels) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
    let elements = x.array
    var result: [Float] = []
    for n in 0..<batch {
      for row in 0..<height {
        let y = nearestSource(row, from: inHeight, to: height)
        for column in 0..<width {
          let start = ((n * inHeight + y) * inWidth + nearestSource(column, from: inWidth, to: width)) * channels
          result += elements[start..<start + channels]
        }
      }
    }
    return Tensor(result, shape: [batch, height, width, channels])
  }

  /// `a · x + b · y` in double precision, rounded once.
  public func combine(_ a: Float, _ x: Tensor, _ b: Float, _ y: Tensor) throws -> Tensor {
    precondition(x.shape == y.shape, "combine: \(x.shape) and \(y.shape) differ")
    let sums = zip(x.array, y.array).map { Float(Double(a) * Double($0) + Double(b) * Double($1)) }
    return Tensor(sums, shape: x.shape)
  }

  /// Repeats y over the leading dimensions of x.
  public func addBroadcast(_ x: Tensor, _ y: Tensor) throws -> Tensor {
    precondition(x.shape.suffix(y.shape.count) == y.shape[...], "addBroadcast: \(y.shape) is no suffix of \(x.shape)")
    let (elements, addend) = (x.array, y.array)
    return Tensor(elements.indices.map { elements[$0] + addend[$0 % addend.count] }, shape: x.shape)
  }
}
