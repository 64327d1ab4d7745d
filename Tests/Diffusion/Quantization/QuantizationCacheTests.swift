import Diffusion
import Foundation
import Tensors
import Testing

/// int8 weights on disk: made once, never trusted blindly.
@Suite struct QuantizationCacheTests {
  private static let model = GoldenModel(name: "sdxl")

  private static func load(_ folder: String = model.folder, cache: String?) throws -> [Float] {
    try Int8PipelineTests.noise(
      DiffusionPipeline.load(
        from: folder, device: CPUDevice(threads: 2), quantization: Quantization(cacheFolder: cache)))
  }

  /// Another file has another number.
  private static func inode(_ path: String) throws -> Int {
    try #require(try FileManager.default.attributesOfItem(atPath: path)[.systemFileNumber] as? Int)
  }

  @Test func isMadeOnce() throws {
    let cache = Int8PipelineTests.CacheFolder()
    let first = try Self.load(cache: cache.path)
    let files = cache.files
    #expect(files.map { String($0.prefix { $0 != "-" }) } == ["text_encoder", "text_encoder_2", "unet"])
    let inodes = try files.map { try Self.inode("\(cache.path)/\($0)") }
    #expect(try Self.load(cache: cache.path) == first)
    #expect(try files.map { try Self.inode("\(cache.path)/\($0)") } == inodes)
  }

  @Test func liesBesideTheModel() throws {
    let altered = try AlteredModel(of: Self.model)
    let expected = try Self.load(altered.folder, cache: nil)
    let names = try FileManager.default.contentsOfDirectory(atPath: "\(altered.folder)/int8").sorted()
    #expect(
      names.filter { $0 != ".lock" } == ["text_encoder.safetensors", "text_encoder_2.safetensors", "unet.safetensors"])
    #expect(try Self.load(altered.folder, cache: nil) == expected)
  }

  enum Damage: String, CaseIterable { case firstLayer, lastByte, header, cutShort, empty }

  @Test(arguments: Damage.allCases)
  func damageIsNoticedAndRepaired(_ damage: Damage) throws {
    let cache = Int8PipelineTests.CacheFolder()
    let expected = try Self.load(cache: cache.path)
    let path = "\(cache.path)/\(try #require(cache.files.last))"
    var bytes = try Data(contentsOf: URL(filePath: path))
    switch damage {
    case .firstLayer: bytes[bytes.count / 2] ^= 0x10
    // The last 56 bytes fill the cache line of the last checksum, and nobody reads them.
    case .lastByte: bytes[bytes.count - 57] ^= 0x80
    case .header: bytes[40] ^= 1
    case .cutShort: bytes.removeLast(100)
    case .empty: bytes = Data()
    }
    try FileManager.default.removeItem(atPath: path)
    try bytes.write(to: URL(filePath: path))
    let damaged = try Self.inode(path)
    #expect(try Self.load(cache: cache.path) == expected)
    #expect(try Self.inode(path) != damaged)
  }

  @Test func otherWeightsMakeItAnew() throws {
    let altered = try AlteredModel(of: Self.model)
    let first = try Self.load(altered.folder, cache: nil)
    let path = "\(altered.folder)/int8/unet.safetensors"
    let inode = try Self.inode(path)
    let file = "unet/diffusion_pytorch_model.fp16.safetensors"
    try altered.setElement(
      of: "mid_block.attentions.0.transformer_blocks.0.attn1.to_q.weight",
      in: FileManager.default.fileExists(atPath: "\(altered.folder)/\(file)")
        ? file : "unet/diffusion_pytorch_model.safetensors", to: 0.75)
    #expect(try Self.load(altered.folder, cache: nil) != first)
    #expect(try Self.inode(path) != inode)
  }

  @Test func whatAnInterruptedWriterLeftIsRemoved() throws {
    let cache = Int8PipelineTests.CacheFolder()
    try FileManager.default.createDirectory(atPath: cache.path, withIntermediateDirectories: true)
    let remains = "\(cache.path)/unet.safetensors.1.2.tmp"
    try Data([1]).write(to: URL(filePath: remains))
    _ = try Self.load(cache: cache.path)
    #expect(!FileManager.default.fileExists(atPath: remains))
  }

  @Test func aCancelledWriterLeavesNothing() throws {
    let cache = Int8PipelineTests.CacheFolder()
    #expect(throws: CancellationError.self) {
      _ = try DiffusionPipeline.load(
        from: Self.model.folder, device: CPUDevice(threads: 1), quantization: Quantization(cacheFolder: cache.path)
      ) { share in if share > 0 { throw CancellationError() } }
    }
    let left = try FileManager.default.contentsOfDirectory(atPath: cache.path)
    #expect(left.allSatisfy { !$0.hasSuffix(".tmp") })
  }

  @Test func aFolderThatCannotBeWrittenIsNamed() throws {
    let cache = Int8PipelineTests.CacheFolder()
    try Data().write(to: URL(filePath: cache.path))
    let error = #expect(throws: DiffusionError.self) { _ = try Self.load(cache: "\(cache.path)/inside") }
    #expect(error?.message.contains("\(cache.path)/inside") == true)
    #expect(error?.message.contains("--cache-dir") == true)
  }

  /// Processes and threads alike: the first makes it, the others wait.
  @Test func severalAtOnceMakeItOnce() async throws {
    let cache = Int8PipelineTests.CacheFolder()
    let path = cache.path
    let noises = try await withThrowingTaskGroup(of: [Float].self) { group in
      for _ in 0..<3 { group.addTask { try Self.load(cache: path) } }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(noises.allSatisfy { $0 == noises[0] })
    #expect(cache.files.count == 3)
  }
}
