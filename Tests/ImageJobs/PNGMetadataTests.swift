import Diffusion
import Foundation
import ImageJobs
import Images
import Testing

@Suite struct PNGMetadataTests {
  private static func metadata(
    _ request: GenerationRequest, model: String = "sdxl-turbo", job: Int64? = 12, initialImageSHA256: [UInt8]? = nil
  ) -> PNGMetadata {
    let pixels = RGBPixels(width: 16, height: 8, bytes: Array(repeating: 128, count: 3 * 16 * 8))
    return PNGMetadata(
      request: request, image: GenerationResult.Image(pixels: pixels, seed: request.seed),
      initialImageSHA256: initialImageSHA256, model: model,
      facts: ModelFacts(weightsHash: "0123456789abcdef", sampler: "Euler a"), job: job, softwareVersion: "1.2.3")
  }

  @Test func parametersAreInTheFormThatReadersKnow() {
    let request = GenerationRequest(prompt: "a red boat", steps: 4, seed: -7)
    #expect(
      Self.metadata(request).parameters == """
        a red boat
        Steps: 4, Sampler: Euler a, CFG scale: 1, Seed: -7, Size: 16x8, Model hash: 0123456789, Model: sdxl-turbo, \
        RNG: CPU, Version: tintype 1.2.3
        """)
  }

  @Test func guidanceNegativePromptAndStrengthAreToldWhenTheyMatter() {
    let start = RGBPixels(width: 16, height: 8, bytes: Array(repeating: 0, count: 3 * 16 * 8))
    let request = GenerationRequest(
      prompt: "a", negativePrompt: "b", steps: 2, guidanceScale: 2.5, seed: 1, initialImage: start, strength: 0.5)
    let lines = Self.metadata(request).parameters.split(separator: "\n")
    #expect(lines.count == 3)
    #expect(lines[1] == "Negative prompt: b")
    #expect(lines[2].contains("CFG scale: 2.5,"))
    #expect(lines[2].contains("Denoising strength: 0.5"))
  }

  @Test func aValueWithASeparatorIsQuoted() {
    let parameters = Self.metadata(GenerationRequest(prompt: "a", seed: 1), model: "my, \"odd\": model").parameters
    #expect(parameters.contains(#"Model: "my, \"odd\": model""#))
  }

  @Test func theJSONHoldsTheRequestAndNothingOfTheRun() throws {
    let request = GenerationRequest(prompt: "猫 \"x\"\n", steps: 3, guidanceScale: 0, seed: .max)
    let json = Self.metadata(request, initialImageSHA256: [0, 255]).json
    let object = try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any])
    #expect(object["prompt"] as? String == "猫 \"x\"\n")
    #expect(object["seed"] as? Int64 == .max)
    #expect(object["job"] as? Int == 12)
    #expect(object["init_image_sha256"] as? String == "00ff")
    // A time, a worker or an attempt would make equal input give unequal bytes.
    let allowed: Set = [
      "format", "software", "job", "prompt", "model", "weights", "sampler", "precision", "seed", "steps", "guidance_scale", "width",
      "height", "init_image_sha256",
    ]
    #expect(Set(object.keys) == allowed)
  }

  @Test(arguments: ["a red boat", "ein Bär, grün", "猫が好き 🐈"]) func theFileGivesTheTextBack(prompt: String) throws {
    let metadata = Self.metadata(GenerationRequest(prompt: prompt, seed: 1))
    let pixels = RGBPixels(width: 16, height: 8, bytes: (0..<3 * 16 * 8).map { UInt8(truncatingIfNeeded: $0) })
    let file = try encodePNG(pixels, metadata: metadata)
    let texts = try PNG.text(of: file)
    #expect(texts.first { $0.keyword == "parameters" }?.text == metadata.parameters)
    #expect(texts.first { $0.keyword == "tintype" }?.text == metadata.json)
    #expect(try ImageDecoder.decode(file).bytes == pixels.bytes)
    #expect(try encodePNG(pixels, metadata: metadata) == file)
  }
}
