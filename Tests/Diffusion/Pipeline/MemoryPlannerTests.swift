import Diffusion
import Foundation
import Safetensors
import Tensors
import Testing

/// The memory that a run is said to need is the memory that it takes.
@Suite struct MemoryPlannerTests {
  static let grey = RGBPixels(width: 72, height: 64, bytes: [UInt8](repeating: 128, count: 3 * 72 * 64))

  static let requests: [GenerationRequest] = [
    GenerationRequest(prompt: "a boat", width: 72, height: 64, seed: 1),
    GenerationRequest(prompt: "a boat", width: 72, height: 64, steps: 4, seed: 1, imageCount: 3),
    GenerationRequest(prompt: "a boat", width: 64, height: 96, steps: 2, guidanceScale: 2, seed: 1),
    GenerationRequest(prompt: "a boat", steps: 3, seed: 1, initialImage: grey, strength: 0.7),
    GenerationRequest(prompt: "a boat", width: 256, height: 192, seed: 1),
  ]

  /// To the byte: both walk the same code, and the arena hands out the same places.
  @Test(arguments: GoldenModel.all, requests)
  func activationsAreThoseOfTheRun(_ model: GoldenModel, _ request: GenerationRequest) throws {
    let plan = try MemoryPlanner(folder: model.folder, threads: 2).plan(for: request)
    let pipeline = try model.pipeline(.cpu)
    _ = try pipeline.generate(request)
    let usage = try #require(pipeline.memoryUsage)
    #expect(usage.peakLive == plan.liveActivations)
    #expect(usage.extent == plan.activations)
    // What outlived the run are the prompt's tensors, planned like the others.
    #expect(pipeline.heldPromptBytes == plan.prompts)
  }

  /// The same of several requests, with a picture too many for two batches of three.
  @Test(arguments: GoldenModel.all)
  func severalRequestsAreThoseOfTheRun(_ model: GoldenModel) throws {
    var requests = ["a boat", "a boat", "the sea"].map {
      GenerationRequest(prompt: $0, width: 72, height: 64, steps: 2, seed: 1, imageCount: 2)
    }
    requests[2].imageCount = 3
    let planner = MemoryPlanner(folder: model.folder, threads: 2)
    let plan = try planner.plan(for: requests, picturesAtOnce: 3)
    let pipeline = try model.pipeline(.cpu)
    pipeline.generate(requests.map { BatchMember($0) }, picturesAtOnce: 3) {
      #expect(throws: Never.self, performing: $1.get)
    }
    let usage = try #require(pipeline.memoryUsage)
    #expect(usage.peakLive == plan.liveActivations)
    #expect(usage.extent == plan.activations)
    #expect(pipeline.heldPromptBytes == plan.prompts)
    #expect(plan.picturesAtOnce == 3)
    // Fewer at a time need less, another text more.
    #expect(try planner.plan(for: requests, picturesAtOnce: 1).activations < plan.activations)
    requests[1].prompt = "a third"
    #expect(try planner.plan(for: requests, picturesAtOnce: 3).prompts == plan.prompts / 2 * 3)
  }

  @Test func privateWeightsAreWhatTheDeviceKeeps() throws {
    let model = GoldenModel(name: "sd")
    let plan = try MemoryPlanner(folder: model.folder, threads: 2).plan(for: Self.requests[0])
    let files = try model.checkpoint().files().filter { $0.hasSuffix(".safetensors") }
    let tensors = try files.flatMap { try SafetensorsFile(path: $0).tensors.values }
    // Headers, the constants of old text encoders and all but a few rows of the token tables are mapped, but nobody touches them.
    #expect(
      plan.mappedWeights
        == tensors.filter { $0.dtype == .float32 && !$0.name.contains("token_embedding") }.reduce(0) {
          $0 + $1.range.count
        })
    #expect(plan.releasedWeights > 0 && plan.releasedWeights < plan.mappedWeights)
    #expect(plan.privateWeights > 0 && plan.privateWeights < plan.mappedWeights)
  }

  @Test func theKernelsStayWithinTheirScratch() throws {
    let device = try CPUDevice(threads: 2)
    let pipeline = try DiffusionPipeline.load(from: GoldenModel(name: "sdxl").folder, device: device)
    _ = try pipeline.generate(GenerationRequest(prompt: "a boat", width: 512, height: 512, seed: 1))
    #expect(device.scratchHeld <= CPUDevice.scratchBound(threads: 2))
  }

  /// In a process of its own: a process's resident memory is that of every test that runs in it.
  @Test func residentMemoryGrowsByThePlan() async {
    await #expect(processExitsWith: .success) {
      let model = GoldenModel(name: "sdxl")
      let request = GenerationRequest(prompt: "a boat", width: 1024, height: 1024, seed: 1)
      let plan = try MemoryPlanner(folder: model.folder, threads: 1).plan(for: request)
      let pipeline = try DiffusionPipeline.load(from: model.folder, device: CPUDevice(threads: 1))
      let before = try #require(ProcessMemory.resident)
      _ = try pipeline.generate(request)
      // The arena keeps its pages, so they are still resident.
      let grown = try #require(ProcessMemory.resident) - before
      #expect(grown > plan.activations * 95 / 100, "\(grown) of \(plan.activations)")
      #expect(grown < plan.privateTotal + 50 << 20, "\(grown) of \(plan.privateTotal)")
    }
  }

  @Test func whatTheModelCannotDrawIsNotPlanned() {
    let planner = MemoryPlanner(folder: GoldenModel(name: "sd").folder, threads: 1)
    let error = #expect(throws: DiffusionError.self) {
      try planner.plan(for: GenerationRequest(prompt: "", width: 100, height: 64, seed: 1))
    }
    #expect(error?.field == "width")
  }

  /// The largest that a request may ask for is planned without having it.
  @Test func aPlanOfManyGigabytesTakesNone() async {
    await #expect(processExitsWith: .success) {
      let before = try #require(ProcessMemory.resident)
      let plan = try MemoryPlanner(folder: GoldenModel(name: "sdxl").folder, threads: 1)
        .plan(for: GenerationRequest(prompt: "", width: 4096, height: 4096, seed: 1))
      #expect(plan.activations > 1 << 30)
      #expect(try #require(ProcessMemory.resident) - before < 64 << 20)
    }
  }
}
