import Diffusion
import Foundation
import Safetensors
import Synchronization
import Tensors
import TestSupport
import Testing

/// Requests that are drawn together: each gets its own pictures, as if it had been alone.
@Suite struct PipelineBatchTests {
  /// A kind of run that a batch has to keep apart.
  struct Kind: Sendable, CustomTestStringConvertible {
    let model: String
    let precision: Precision
    let isGuided: Bool
    let startsFromPicture: Bool
    var testDescription: String {
      "\(model) \(precision.rawValue)\(isGuided ? ", guided" : "")\(startsFromPicture ? ", from a picture" : "")"
    }
  }

  static let kinds: [Kind] = ["sdxl", "sd", "demo"].flatMap { model in
    [Precision.fp32, .int8].flatMap { precision in
      [false, true].flatMap { isGuided in
        [false, true].map {
          Kind(model: model, precision: precision, isGuided: isGuided, startsFromPicture: $0)
        }
      }
    }
  }

  /// Four requests that share nothing but what they must.
  private static func requests(_ kind: Kind, width: Int, height: Int) -> [GenerationRequest] {
    ["an old house", "a red boat on a lake", "an old house", "fog"].enumerated().map { index, prompt in
      let picture = RGBPixels(
        width: width, height: height,
        bytes: (0..<3 * width * height).map { UInt8(truncatingIfNeeded: $0 * (7 + index)) })
      return GenerationRequest(
        prompt: prompt, negativePrompt: index == 1 ? nil : "snow \(index)", width: width, height: height, steps: 3,
        guidanceScale: kind.isGuided ? 2 + Double(index) : 0, seed: 41 + Int64(7 * index),
        initialImage: kind.startsFromPicture ? picture : nil, strength: kind.startsFromPicture ? 0.7 : 1)
    }
  }

  private static func pipeline(_ kind: Kind, _ cache: Int8PipelineTests.CacheFolder) throws -> DiffusionPipeline {
    let folder =
      kind.model == "demo"
      ? ProjectFiles.root.appending(path: "Deploy/demo-model/model").path : GoldenModel(name: kind.model).folder
    return try DiffusionPipeline.load(
      from: folder, device: CPUDevice(threads: 2),
      quantization: kind.precision == .int8 ? Quantization(cacheFolder: cache.path) : nil)
  }

  /// Draws requests together.
  private static func draw(
    _ pipeline: DiffusionPipeline, _ requests: [GenerationRequest], picturesAtOnce: Int
  ) throws -> [[GenerationResult.Image]] {
    var outcomes: [Int: Result<GenerationResult, any Error>] = [:]
    pipeline.generate(requests.map { BatchMember($0) }, picturesAtOnce: picturesAtOnce) {
      #expect(outcomes.updateValue($1, forKey: $0) == nil)
    }
    return try requests.indices.map { try #require(outcomes[$0]).get().images }
  }

  @Test(arguments: kinds)
  func picturesDoNotKnowTheirNeighbours(_ kind: Kind) throws {
    let cache = Int8PipelineTests.CacheFolder()
    let pipeline = try Self.pipeline(kind, cache)
    // The smaller size is odd in every block; the larger one's batches have more tiles than one picture of it.
    for (width, height) in kind.model == "demo" ? [(128, 128)] : [(72, 64), (128, 128)] {
      let requests = Self.requests(kind, width: width, height: height)
      let alone = try requests.map { try pipeline.generate($0, picturesAtOnce: 1).images[0] }
      #expect(alone[0].pixels != alone[1].pixels && alone[0].pixels != alone[2].pixels)
      for picturesAtOnce in 2...4 {
        let together = try Self.draw(pipeline, requests, picturesAtOnce: picturesAtOnce)
        #expect(together.map(\.count) == [1, 1, 1, 1])
        for (found, expected) in zip(together.map { $0[0] }, alone) {
          #expect(found.seed == expected.seed)
          #expect(found.pixels == expected.pixels, "\(width) × \(height), \(picturesAtOnce) at once")
        }
      }
    }
  }

  /// Pictures of requests of several pictures, some of which fall into two batches.
  @Test func picturesOfARequestMayComeFromTwoBatches() throws {
    let pipeline = try GoldenModel(name: "sdxl").pipeline(.cpu)
    let requests = [1, 3, 2].map { count in
      GenerationRequest(prompt: "\(count) boats", width: 72, height: 64, steps: 2, seed: 5, imageCount: count)
    }
    let together = try Self.draw(pipeline, requests, picturesAtOnce: 2)
    for (request, images) in zip(requests, together) {
      #expect(images.map(\.seed) == (0..<request.imageCount).map { 5 + Int64($0) })
      #expect(images.map(\.pixels) == (try pipeline.generate(request, picturesAtOnce: 1).images.map(\.pixels)))
    }
  }

  private static let alike = (0..<3).map {
    GenerationRequest(prompt: "boat \($0)", width: 72, height: 64, steps: 3, seed: Int64($0))
  }

  /// A member leaves at whatever block it is told to, and the others get their pictures.
  @Test func aCancelledMemberLeavesTheOthersBe() throws {
    let pipeline = try GoldenModel(name: "sd").pipeline(.cpu)
    let expected = try Self.alike.map { try pipeline.generate($0, picturesAtOnce: 1).images[0].pixels }
    let whole = Mutex(0)
    var members = Self.alike.map { BatchMember($0) }
    members[1].control.progress = { _ in whole.withLock { $0 += 1 } }
    pipeline.generate(members) { _, _ in }
    let blocks = whole.withLock { $0 }
    #expect(blocks > 100)
    for limit in stride(from: 1, to: blocks, by: 27) {
      // Each time the middle one is asked counts; at the last it wants no more.
      let polls = Mutex(0)
      var members = Self.alike.map { BatchMember($0) }
      members[1].control.isCancelled = {
        polls.withLock { count in
          count += 1
          return count >= limit
        }
      }
      var pollsWhenItLeft: Int?
      var pictures: [Int: RGBPixels] = [:]
      pipeline.generate(members) { index, outcome in
        switch outcome {
        case .success(let result): pictures[index] = result.images[0].pixels
        case .failure(let error):
          #expect(error is CancellationError && index == 1)
          pollsWhenItLeft = polls.withLock { $0 }
        }
      }
      // Told at that very block, and not asked again.
      #expect(pollsWhenItLeft == limit && polls.withLock { $0 } == limit)
      #expect(pictures == [0: expected[0], 2: expected[2]])
    }
  }

  /// When nobody wants the pictures any more, the next block is not computed.
  @Test func aRunThatEveryoneLeftStops() throws {
    let pipeline = try GoldenModel(name: "sd").pipeline(.cpu)
    let polls = Mutex(0)
    let control = GenerationControl(isCancelled: {
      polls.withLock { count in
        count += 1
        return count >= 100
      }
    })
    var outcomes = 0
    pipeline.generate(Self.alike.map { BatchMember($0, control: control) }) { _, outcome in
      #expect(throws: CancellationError.self) { try outcome.get() }
      outcomes += 1
    }
    #expect(outcomes == 3)
    // The one that first said so was followed by the two others at the same block.
    #expect(polls.withLock { $0 } == 102)
  }

  /// What is wrong with one request ends that one alone: a prompt whose encoding is not a number, and a width that is no width.
  @Test func aMembersFailureIsItsOwn() throws {
    var requests = Self.alike
    requests[0].prompt = "zebra"
    requests[2].width = 71
    let golden = GoldenModel(name: "sd")
    func tokens(_ request: GenerationRequest) throws -> [Int64] {
      let trace = TraceRecorder()
      _ = try golden.pipeline(.cpu).generate(request, trace: trace)
      guard case .int64(let ids) = trace.entry("input_ids")?.values else { return [] }
      return ids
    }
    let shared = Set(try tokens(requests[1]))
    let own = try #require(try tokens(requests[0]).first { !shared.contains($0) })
    let table = "text_model.embeddings.token_embedding.weight"
    let file = "text_encoder/model.safetensors"
    let width = try SafetensorsFile(path: golden.folder + "/" + file).tensor(table).shape[1]
    let model = try AlteredModel(of: golden)
    try model.setElement(Int(own) * width, of: table, in: file, to: .nan)
    let pipeline = try DiffusionPipeline.load(from: model.folder, device: CPUDevice(threads: 2))
    let expected = try pipeline.generate(requests[1]).images[0].pixels
    var outcomes: [Int: Result<GenerationResult, any Error>] = [:]
    pipeline.generate(requests.map { BatchMember($0) }) { outcomes[$0] = $1 }
    #expect(try #require(outcomes[1]).get().images[0].pixels == expected)
    for (index, code) in [(0, DiffusionError.Code.notFinite), (2, .invalidRequest)] {
      let error = #expect(throws: DiffusionError.self) { try #require(outcomes[index]).get() }
      #expect(error?.code == code)
    }
  }

  /// A request hears of its pictures when the last of them is decoded, while others are not.
  @Test func outcomesComeOneByOne() throws {
    let pipeline = try GoldenModel(name: "sd").pipeline(.cpu)
    let fractions = Mutex([0.0, 0, 0])
    let members = Self.alike.enumerated().map { index, request in
      BatchMember(
        request,
        control: GenerationControl(progress: { progress in
          fractions.withLock {
            #expect(progress.fraction >= $0[index])
            $0[index] = progress.fraction
          }
        }))
    }
    var order: [Int] = []
    pipeline.generate(members, picturesAtOnce: 3) { index, outcome in
      let now = fractions.withLock { $0 }
      // Its own work is all done, but for the rounding of its sum; that of those behind it is not.
      #expect(abs(now[index] - 1) < 1e-9)
      for other in (index + 1)..<3 { #expect(now[other] < 0.99) }
      order.append(index)
    }
    #expect(order == [0, 1, 2])
  }

  /// The members' seconds add up to no more than have passed.
  @Test func timesAreShared() throws {
    let pipeline = try GoldenModel(name: "sdxl").pipeline(.cpu)
    var seconds: [[String: Double]] = []
    let start = ContinuousClock.now
    pipeline.generate(Self.alike.map { BatchMember($0) }, picturesAtOnce: 3) { _, outcome in
      if case .success(let result) = outcome { seconds.append(result.timings) }
    }
    let passed = (ContinuousClock.now - start) / .seconds(1)
    #expect(seconds.count == 3)
    #expect(seconds.allSatisfy { ($0["unet"] ?? 0) > 0 && $0["unet"] == seconds[0]["unet"] })
    #expect(seconds.flatMap(\.values).reduce(0, +) <= passed)
  }

  @Test func whatMayBeDrawnTogether() throws {
    let pipeline = try GoldenModel(name: "sd").pipeline(.cpu)
    let request = GenerationRequest(prompt: "a", width: 72, height: 64, steps: 4, guidanceScale: 2, seed: 1)
    let key = try pipeline.batchKey(of: request)
    func same(_ change: (inout GenerationRequest) -> Void) throws -> Bool {
      var other = request
      change(&other)
      return try pipeline.batchKey(of: other) == key
    }
    #expect(
      try same {
        $0.prompt = "b"
        $0.negativePrompt = "c"
        $0.seed = 2
        $0.guidanceScale = 9
        $0.imageCount = 3
      })
    #expect(try !same { $0.guidanceScale = 1 })
    #expect(try !same { $0.width = 64 })
    #expect(try !same { $0.steps = 3 })
    #expect(
      try !same {
        $0.initialImage = RGBPixels(width: 72, height: 64, bytes: [UInt8](repeating: 9, count: 3 * 72 * 64))
        $0.strength = 0.5
      })
  }
}
