import Diffusion
import Glibc
import ImageJobs
import Images
import Jobs
import Testing

/// Whoever enqueues chooses the path, so every test here is a hostile row.
@Suite struct InitImageSourceTests {
  private let input: TemporaryFolder, output: TemporaryFolder, elsewhere: TemporaryFolder
  private let source: InitImageSource
  private let png: [UInt8]

  init() throws {
    input = try TemporaryFolder()
    output = try TemporaryFolder()
    elsewhere = try TemporaryFolder()
    source = InitImageSource(inputRoot: input.path, outputRoot: output.path)
    png = try Self.picture(width: 21, height: 19)
  }

  private static func picture(width: Int, height: Int) throws -> [UInt8] {
    let bytes = (0..<3 * width * height).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    return try PNG.encode(RGBImage(width: width, height: height, bytes: bytes), text: [])
  }

  private func refusal(of image: Job.InitImage, width: Int? = nil, height: Int? = nil) throws -> JobError {
    try #require(throws: JobError.self) { try source.picture(for: image, width: width, height: height) }
  }

  @Test func aFileBelowTheRootIsRead() throws {
    try input.write("deep/er/a.png", png)
    let start = try source.picture(for: .inputPath("deep/er/a.png"), width: nil, height: nil)
    // Its own size, floored to multiples of 8.
    #expect(start.pixels.width == 16)
    #expect(start.pixels.height == 16)
    #expect(start.sha256 == SHA256.hash(png))
  }

  @Test func theRequestedSizeIsResizedTo() throws {
    let start = try source.picture(for: .data(png), width: 40, height: 8)
    let expected = try ImageDecoder.decode(png).resizedLanczos(width: 40, height: 8)
    #expect(start.pixels == RGBPixels(width: 40, height: 8, bytes: expected.bytes))
  }

  @Test(arguments: ["../secret.png", "/etc/passwd", "a/../../secret.png", "", ".", "a//b.png", "a\u{0}.png", "./a.png"])
  func aPathThatCouldLeaveTheRootIsRefused(path: String) throws {
    try elsewhere.write("secret.png", png)
    let error = try refusal(of: .inputPath(path))
    #expect(error.code == "init_image_refused")
    #expect(error.isPermanent)
    #expect(error.message.contains("init_image"))
  }

  @Test func linksAreNotFollowed() throws {
    let secret = try elsewhere.write("secret.png", png)
    try input.link("file.png", to: secret)
    try input.link("folder", to: elsewhere.path)
    for path in ["file.png", "folder/secret.png"] {
      #expect(try refusal(of: .inputPath(path)).code == "init_image_refused", "\(path)")
    }
  }

  @Test(.timeLimit(.minutes(1))) func whatIsNoRegularFileIsRefusedAndNeverWaitedFor() throws {
    try input.write("folder/a.png", png)
    // Opening a FIFO for reading blocks until somebody writes: a job that names one must not hold the worker.
    unsafe #expect(mkfifo(input.path + "/fifo", 0o600) == 0)
    for path in ["folder", "fifo"] {
      let error = try refusal(of: .inputPath(path))
      #expect(error.isPermanent, "\(path)")
      #expect(error.code == "init_image_refused", "\(path)")
    }
  }

  @Test func aMissingFileIsNamed() throws {
    let error = try refusal(of: .inputPath("no/such.png"))
    #expect(error.code == "init_image_unreadable")
    #expect(error.message.contains("no/such.png"))
  }

  @Test func aWorkerWithoutInputDirectorySaysSo() throws {
    let source = InitImageSource(inputRoot: nil, outputRoot: output.path)
    let error = try #require(throws: JobError.self) {
      try source.picture(for: .inputPath("a.png"), width: nil, height: nil)
    }
    #expect(error.message.contains("--input"))
  }

  @Test func anArtifactMustBeTheOneThatWasRecorded() throws {
    try output.write("0/7/8-0.png", png)
    let path = "0/7/8-0.png"
    let start = try source.picture(for: .artifact(path: path, sha256: SHA256.hash(png)), width: nil, height: nil)
    #expect(start.pixels.width == 16)
    let error = try refusal(of: .artifact(path: path, sha256: SHA256.hash([1])))
    #expect(error.code == "init_image_changed")
  }

  @Test func whatIsNoPictureIsAPermanentErrorThatNamesTheTypes() throws {
    for bytes in [[], Array("GIF89a".utf8), Array(png.prefix(60))] as [[UInt8]] {
      let error = try refusal(of: .data(bytes))
      #expect(error.code == "init_image_unreadable")
      #expect(error.isPermanent)
      #expect(error.message.contains("PNG"))
      #expect(error.message.contains("JPEG"))
    }
  }

  @Test func limitsHoldBeforeAnythingIsDecoded() throws {
    var limits = ImageJobLimits()
    limits.maximumInitImageBytes = png.count - 1
    let small = InitImageSource(inputRoot: input.path, outputRoot: output.path, limits: limits)
    try input.write("a.png", png)
    for image in [Job.InitImage.data(png), .inputPath("a.png")] {
      let error = try #require(throws: JobError.self) { try small.picture(for: image, width: nil, height: nil) }
      #expect(error.code == "init_image_refused")
    }
    limits = ImageJobLimits()
    limits.maximumInitImagePixels = 21 * 19 - 1
    let narrow = InitImageSource(inputRoot: input.path, outputRoot: output.path, limits: limits)
    let error = try #require(throws: JobError.self) { try narrow.picture(for: .data(png), width: 8, height: 8) }
    #expect(error.code == "init_image_unreadable")
  }

  @Test func aPictureTooSmallForAModelNeedsASize() throws {
    let tiny = try Self.picture(width: 7, height: 30)
    #expect(try refusal(of: .data(tiny)).message.contains("width and height"))
    #expect(try source.picture(for: .data(tiny), width: 8, height: 8).pixels.width == 8)
  }
}
