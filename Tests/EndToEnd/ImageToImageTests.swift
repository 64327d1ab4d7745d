import Foundation
import Images
import Postgres
import TestSupport
import Testing

/// The three places an initial picture may come from, and the paths that must not be read.
@Suite struct ImageToImageTests {
  private static let request = "'pine trees in the snow at night', 4, 0.5, 3"
  private static let columns = "prompt, steps, strength, seed"

  @Test func anInitialPictureComesByPathByBytesOrFromAnEarlierJob() async throws {
    try await Site.with { site in
      let golden = try Golden.load()
      let lake = Golden.folder.appending(path: "lake.png")
      try FileManager.default.createDirectory(atPath: "\(site.input)/sub", withIntermediateDirectories: true)
      try FileManager.default.copyItem(atPath: lake.path, toPath: "\(site.input)/sub/lake.png")
      try site.startWorker()

      let first = try await site.enqueue("prompt, seed", "'a red house by a lake at sunset', 7")
      let byPath = try await site.enqueue("\(Self.columns), init_image", "\(Self.request), 'sub/lake.png'")
      let byJob = try await site.enqueue("\(Self.columns), init_job", "\(Self.request), \(first)")
      let byBytes: Int64 = try await site.value(
        "INSERT INTO tintype.jobs (\(Self.columns), init_image_data) VALUES (\(Self.request), $1) RETURNING id",
        [.bytes([UInt8](Data(contentsOf: lake)))])

      for job in [byPath, byJob, byBytes] {
        try await site.wait(for: job, toBe: "succeeded")
        let picture = try #require(try await site.pictures(of: job).first)
        expectEqual(picture.pixels, try golden.picture("from-lake"))
      }
    }
  }

  @Test func aJobWaitsForThePictureItStartsFrom() async throws {
    try await Site.with { site in
      let first = try await site.enqueue()
      let second = try await site.enqueue("prompt, init_job", "'a lake at night', \(first)")
      #expect(try await site.state(of: second) == "blocked")
      try site.startWorker()
      try await site.wait(for: second, toBe: "succeeded")
      let inOrder: Bool = try await site.value(
        """
        SELECT (SELECT finished_at FROM tintype.jobs WHERE id = \(first))
             < (SELECT started_at FROM tintype.jobs WHERE id = \(second))
        """)
      #expect(inOrder)
    }
  }

  @Test func nothingOutsideTheInputFolderIsRead() async throws {
    try await Site.with { site in
      let secret = site.folder.path("secret.png")
      try FileManager.default.copyItem(atPath: Golden.folder.appending(path: "lake.png").path, toPath: secret)
      let manager = FileManager.default
      try manager.createSymbolicLink(atPath: "\(site.input)/link.png", withDestinationPath: secret)
      try manager.createSymbolicLink(atPath: "\(site.input)/up", withDestinationPath: site.folder.path(""))
      let pipe = "\(site.input)/fifo.png"
      #expect(unsafe mkfifo(pipe, 0o600) == 0)
      try Data("not a picture".utf8).write(to: URL(filePath: "\(site.input)/text.png"))
      try site.startWorker()

      for path in ["link.png", "up/secret.png", "fifo.png", "text.png", "absent.png", "."] {
        let job = try await site.enqueue("prompt, init_image", "'a lake', '\(path)'")
        try await site.wait(for: job, toBe: "failed")
        let code: String = try await site.value("SELECT error_code FROM tintype.jobs WHERE id = \(job)")
        #expect(code.hasPrefix("init_image"), "\(path): \(code)")
        let attempts: Int = try await site.value("SELECT count(*) FROM tintype.attempts WHERE job_id = \(job)")
        #expect(attempts == 1, "\(path): trying again cannot help")
      }
      // These the table itself refuses, before any worker sees them.
      for path in ["/etc/passwd", "../secret.png", "a/../../secret.png", ""] {
        await #expect(throws: PostgresError.self, "\(path)") {
          try await site.enqueue("prompt, init_image", "'a lake', '\(path)'")
        }
      }
    }
  }

  @Test func withoutAnInputFolderSuchJobsFailWithTheRemedy() async throws {
    try await Site.with { site in
      let worker = try ToolProcess([
        "worker", "--database-url", site.databaseURL, "--model", Tool.demoModel, "--output", site.output, "--idle-exit",
        "1",
      ])
      let job = try await site.enqueue("prompt, init_image", "'a lake', 'lake.png'")
      #expect(await worker.exitStatus() == 0, "\(worker.errors)")
      #expect(try await site.state(of: job) == "failed")
      let error: String = try await site.value("SELECT error FROM tintype.jobs WHERE id = \(job)")
      #expect(error.contains("--input"))
    }
  }
}
