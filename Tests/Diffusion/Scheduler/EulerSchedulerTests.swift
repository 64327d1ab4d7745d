import Diffusion
import Foundation
import Tensors
import TestSupport
import Testing

/// The schedulers against diffusers' own tables and traces, every value to the bit: both sides do the same fp32
/// operations in the same order, so any tolerance would only hide a wrong one.
@Suite struct EulerSchedulerTests {
  private let golden: EulerGolden

  init() throws {
    golden = try JSONDecoder().decode(
      EulerGolden.self, from: Data(contentsOf: ProjectFiles.fixtures.appending(path: "scheduler/euler.json")))
  }

  @Test func schedulesMatch() throws {
    for entry in golden.classes {
      let scheduler = try entry.config.makeScheduler(className: entry.className)
      for table in entry.tables {
        let schedule = try scheduler.schedule(steps: table.steps)
        let place = "\(entry.className) \(entry.name), \(table.steps) steps"
        #expect(schedule.timesteps == table.timesteps, "\(place)")
        #expect(schedule.sigmas == table.sigmas, "\(place)")
        #expect(schedule.initNoiseSigma == table.initNoiseSigma, "\(place)")
        #expect(schedule.beginIndex == 0)
      }
    }
  }

  @Test func stepsMatch() throws {
    for entry in golden.classes {
      let scheduler = try entry.config.makeScheduler(className: entry.className)
      for run in entry.traces {
        let schedule = try scheduler.schedule(steps: run.steps)
        var generator = TorchGenerator(seed: 100 + run.steps)
        let place = "\(entry.className) \(entry.name), \(run.steps) steps"
        var sample = schedule.initialSample(noise: Tensor(generator.randn(count: 32), shape: [2, 16]))
        for (index, expected) in run.trace.enumerated() {
          #expect(sample.array == expected.sample, "\(place), before step \(index)")
          #expect(schedule.scaleModelInput(sample, at: index).array == expected.scaled, "\(place), step \(index)")
          let output = normal(seed: 1000 + index)
          let noise = scheduler.needsNoise ? normal(seed: 2000 + index) : nil
          sample = scheduler.step(index, of: schedule, sample: sample, modelOutput: output, noise: noise)
          #expect(sample.array == expected.next, "\(place), after step \(index)")
        }
      }
    }
  }

  @Test func imageToImageStarts() throws {
    let config = try #require(golden.classes.first { $0.name == "turbo" }).config
    for className in ["EulerAncestralDiscreteScheduler", "EulerDiscreteScheduler"] {
      let scheduler = try config.makeScheduler(className: className)
      for test in golden.imageToImage {
        let full = try scheduler.schedule(steps: test.steps)
        guard !test.timesteps.isEmpty else {
          let error = #expect(throws: SchedulerError.self) { try full.truncated(strength: test.strength) }
          #expect(error?.code == .invalidStrength && error?.field == "strength")
          continue
        }
        let schedule = try full.truncated(strength: test.strength)
        #expect(schedule.timesteps == test.timesteps, "\(test.steps) steps, strength \(test.strength)")
        #expect(schedule.beginIndex == test.begin)
        #expect(schedule.sigmas == Array(full.sigmas[test.begin...]))
        #expect(schedule.initNoiseSigma == full.initNoiseSigma)
      }
    }
  }

  /// The run starts from the picture plus noise of the first level that is run, not of the schedule's first level.
  @Test func noiseIsAddedAtTheLevelOfTheStart() throws {
    let config = try #require(golden.classes.first { $0.name == "turbo" }).config
    let full = try config.makeScheduler(className: "EulerDiscreteScheduler").schedule(steps: 4)
    let original = normal(seed: 1)
    let noise = normal(seed: 2)
    let noised = try full.truncated(strength: 0.5).addNoise(noise, to: original)
    #expect(noised.array == zip(original.array, noise.array).map { $0 + $1 * Float(1.6128870248794556) })
  }

  private func normal(seed: Int) -> Tensor {
    var generator = TorchGenerator(seed: seed)
    return Tensor(generator.randn(count: 32), shape: [2, 16])
  }
}

private struct EulerGolden: Decodable {
  struct Entry: Decodable {
    let className: String
    let name: String
    let config: SchedulerConfig
    let tables: [Table]
    let traces: [Run]
  }
  struct Table: Decodable {
    let steps: Int
    let timesteps: [Float]
    let sigmas: [Float]
    let initNoiseSigma: Float
  }
  struct Run: Decodable {
    let steps: Int
    let trace: [Step]
  }
  struct Step: Decodable {
    let sample: [Float]
    let scaled: [Float]
    let next: [Float]
  }
  struct ImageToImage: Decodable {
    let steps: Int
    let strength: Double
    let begin: Int
    let timesteps: [Float]
  }
  let classes: [Entry]
  let imageToImage: [ImageToImage]
}
