import Jobs
import Testing

/// The wording is compared with the table's own in JobStoreTests; here, that each rule is looked at.
@Suite struct JobRequestTests {
  private func column(_ change: (inout JobRequest) -> Void) -> String? {
    var request = JobRequest(prompt: "a red boat")
    change(&request)
    return request.problem?.column
  }

  @Test func aPromptIsEnough() {
    #expect(JobRequest(prompt: "").problem == nil)
  }

  @Test func namesTheColumnAndTheLegalValues() {
    var request = JobRequest(prompt: "a red boat")
    request.width = 513
    #expect(
      request.problem?.message
        == "width must be a multiple of 8 from 8 to 4096, or null for the model's own size; got 513")
  }

  @Test func theFirstProblemIsNamed() {
    #expect(column { $0.width = 7 } == "width")
    #expect(column { $0.height = 4104 } == "height")
    #expect(column { $0.steps = 51 } == "steps")
    #expect(column { $0.guidanceScale = .nan } == "guidance_scale")
    #expect(column { $0.imageCount = 65 } == "image_count")
    #expect(column { $0.strength = 0.5 } == "strength")
    #expect(column { ($0.initImage, $0.initJob) = ("a.png", 1) } == "init_job")
    #expect(column { $0.initImage = "../a.png" } == "init_image")
    #expect(column { $0.initImageData = [1, 2] } == "init_image_data")
    #expect(column { ($0.seed, $0.imageCount) = (.max, 2) } == "seed")
    #expect(column { $0.seed = .max } == nil)
    #expect(column { $0.seed = .min } == nil)
    #expect(column { $0.timeout = 0 } == "timeout")
  }

  @Test func stepsAndStrengthLeaveAtLeastOneStep() {
    #expect(column { ($0.initImage, $0.steps, $0.strength) = ("a.png", 1, 0.99) } == "strength")
    #expect(column { ($0.initImage, $0.steps, $0.strength) = ("a.png", 2, 0.5) } == nil)
    // 0.1 is a little more than a tenth in binary, but 3 × (1/3) rounds to exactly 1.
    #expect(column { ($0.initImage, $0.steps, $0.strength) = ("a.png", 10, 0.1) } == nil)
    #expect(column { ($0.initImage, $0.steps, $0.strength) = ("a.png", 3, 1.0 / 3.0) } == nil)
    #expect(column { ($0.initImage, $0.steps, $0.strength) = ("a.png", 3, 0.333) } == "strength")
    // By default: two steps of which one is run; with one step, all of it.
    #expect(column { $0.initImage = "a.png" } == nil)
    #expect(column { ($0.initImage, $0.steps) = ("a.png", 1) } == nil)
  }
}
