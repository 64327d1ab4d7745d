import Diffusion
import Foundation
import Tensors
import Testing

/// Weights stay in the page cache: a second worker on a machine maps the same pages.
@Suite struct SharedWeightsTests {
  /// The lines of `/proc/self/smaps` about mappings of a file.
  private struct Mapping {
    var permissions = ""
    var kilobytes: [String: Int] = [:]
  }

  private static func mappings(of path: String) throws -> [Mapping] {
    var found: [Mapping] = []
    var isWanted = false
    let file = try #require(FileHandle(forReadingAtPath: "/proc/self/smaps"))
    for line in String(decoding: try #require(try file.readToEnd()), as: UTF8.self).split(separator: "\n") {
      let words = line.split(separator: " ")
      if let first = words.first, first.contains("-"), !first.hasSuffix(":") {
        isWanted = line.hasSuffix(path)
        if isWanted { found.append(Mapping(permissions: String(words[1]))) }
      } else if isWanted, words.count >= 2, let number = Int(words[1]) {
        found[found.count - 1].kilobytes[String(words[0].dropLast())] = number
      }
    }
    return found
  }

  @Test func noWeightIsCopiedOrWritten() throws {
    // fp32 and fp16, so weights that are multiplied in place and weights that are expanded.
    for name in ["sd", "sdxl"] {
      let folder = URL(filePath: GoldenModel(name: name).folder).resolvingSymlinksInPath().path
      let pipeline = try DiffusionPipeline.load(from: folder, device: CPUDevice(threads: 2))
      _ = try pipeline.generate(GenerationRequest(prompt: "a boat", width: 64, height: 64, seed: 1))
      let files = try CheckpointFolder(path: folder).summary().components.first { $0.name == "unet" }?.files ?? []
      let mappings = try Self.mappings(of: "\(folder)/\(try #require(files.first))")
      #expect(!mappings.isEmpty)
      for mapping in mappings {
        #expect(mapping.permissions == "r--s")
        #expect(mapping.kilobytes["Private_Dirty"] == 0)
        #expect(mapping.kilobytes["Anonymous"] == 0)
        #expect(try #require(mapping.kilobytes["Rss"]) > 0)
      }
      withExtendedLifetime(pipeline) {}
    }
  }
}
