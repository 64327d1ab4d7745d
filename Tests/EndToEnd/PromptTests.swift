import Images
import Postgres
import Testing

/// The words of a row decide its picture.
///
/// That pictures equal diffusers' is tested elsewhere, against files. These tests need no files: they would fail if text never
/// reached the UNet, if one of the two encoders' halves were lost, or if the goldens had been made with the same mistake. Each
/// bound lies between what the right and the wrong words give over 16 seeds, at least 20 levels (or a third of the smallest
/// right value) from both.
@Suite struct PromptTests {
  /// Sky and ground of every picture are read here, away from the horizon and from the edges.
  private static let sky = 0.03..<0.31
  private static let ground = 0.75..<0.97

  @Test func theTimeOfDayDecidesTheLight() async throws {
    let grounds = ["a meadow", "the sea", "a desert", "a snowy field"]
    let times = ["at noon", "at night", "at sunset"]
    let pictures = try await Self.pictures(of: grounds.flatMap { ground in times.map { "\(ground) \($0)" } })
    for ground in grounds {
      for picture in try #require(pictures["\(ground) at noon"]) {
        #expect(picture.mean().brightness > 115, "\(ground) at noon")
        let sky = picture.mean(rows: Self.sky)
        #expect(sky.blue > sky.red + 20, "\(ground) at noon: sky \(sky)")
      }
      for picture in try #require(pictures["\(ground) at night"]) {
        #expect(picture.mean().brightness < 95, "\(ground) at night")
      }
      for picture in try #require(pictures["\(ground) at sunset"]) {
        let sky = picture.mean(rows: Self.sky)
        #expect(sky.red > sky.blue + 10, "\(ground) at sunset: sky \(sky)")
      }
    }
  }

  @Test func theGroundIsTheOneThatIsNamed() async throws {
    let pictures = try await Self.pictures(of: [
      "a meadow at noon", "the sea at noon", "a desert at noon", "a snowy field at noon",
    ])
    for (prompt, made) in pictures {
      for picture in made {
        let ground = picture.mean(rows: Self.ground)
        switch prompt {
        case "a meadow at noon": #expect(ground.green > ground.red + 15 && ground.green > ground.blue + 40, "\(ground)")
        case "the sea at noon":
          // Not the mean: the sea may have a beach, with palms, on a third of it.
          let water = picture.share(rows: Self.ground) { $0.blue > $0.red + 60 && $0.blue > $0.green + 25 }
          #expect(water > 0.3, "\(water)")
        case "a desert at noon": #expect(ground.red > ground.blue + 60 && ground.red > ground.green + 20, "\(ground)")
        default:
          // Snow: bright, and of no colour.
          #expect(ground.brightness > 180 && abs(ground.red - ground.blue) < 40, "\(ground)")
        }
      }
    }
  }

  @Test func treesAreOfTheKindThatIsNamed() async throws {
    func isBlossom(_ c: Colour) -> Bool { c.red > 190 && c.blue > 120 && c.red > c.green + 40 && c.blue > c.green + 5 }
    func isNeedle(_ c: Colour) -> Bool { c.green < 115 && c.green > c.red + 15 && c.red < 90 }
    let kinds = ["a cherry tree", "autumn trees", "pine trees"]
    let pictures = try await Self.pictures(of: kinds.map { "\($0) in a meadow at noon" })
    // A tree may hide behind the edge in one picture of four, not in all.
    func share(_ kind: String, _ condition: (Colour) -> Bool) throws -> Double {
      try #require(pictures["\(kind) in a meadow at noon"]).reduce(0) { $0 + $1.share(where: condition) } / 4
    }
    #expect(try share("a cherry tree", isBlossom) > 0.02)
    #expect(try share("pine trees", isNeedle) > 0.03)
    for other in ["autumn trees", "pine trees"] { #expect(try share(other, isBlossom) < 0.005, "\(other)") }
    for other in ["autumn trees", "a cherry tree"] { #expect(try share(other, isNeedle) < 0.015, "\(other)") }
  }

  @Test func aThingHasTheColourAndIsOnTheSideThatAreNamed() async throws {
    func isRed(_ c: Colour) -> Bool { c.red > 150 && c.red > c.green + 70 && c.red > c.blue + 70 }
    func isYellow(_ c: Colour) -> Bool { c.red > 180 && c.green > 140 && c.blue < 110 && c.red < c.green + 90 }
    let places = ["boat": "on the sea at noon", "balloon": "over a meadow at noon"]
    var prompts: [(text: String, colour: String, isLeft: Bool)] = []
    for (thing, place) in places {
      for colour in ["red", "yellow"] {
        for side in ["left", "right"] {
          prompts.append(("a \(colour) \(thing) on the \(side) \(place)", colour, side == "left"))
        }
      }
    }
    let pictures = try await Self.pictures(of: prompts.map(\.text))
    for (text, colour, isLeft) in prompts {
      let (named, other) = isLeft ? (0.0..<0.5, 0.5..<1.0) : (0.5..<1.0, 0.0..<0.5)
      for picture in try #require(pictures[text]) {
        let red = picture.share(columns: named, where: isRed), yellow = picture.share(columns: named, where: isYellow)
        #expect((colour == "red" ? red : yellow) > 0.02, "\(text): red \(red), yellow \(yellow)")
        #expect((colour == "red" ? yellow : red) < 0.01, "\(text): red \(red), yellow \(yellow)")
        let elsewhere = picture.share(columns: other) { isRed($0) || isYellow($0) }
        #expect(elsewhere < 0.01, "\(text): \(elsewhere) on the other side")
      }
    }
  }

  /// Four pictures of each prompt, of four steps each: rows inserted by SQL, pictures read from where the rows say.
  private static func pictures(of prompts: [String]) async throws -> [String: [RGBImage]] {
    var made: [String: [RGBImage]] = [:]
    try await Site.with { site in
      try site.startWorker()
      for prompt in prompts {
        _ = try await site.enqueue("prompt, steps, seed, image_count", "'\(prompt)', 4, 100, 4")
      }
      try await site.wait(
        for: "all jobs succeeded", "SELECT count(*) = \(prompts.count) FROM tintype.jobs WHERE state = 'succeeded'")
      let jobs = try await site.database.query("SELECT id, prompt FROM tintype.jobs")
      for row in jobs.rows {
        let job = try row.decode("id", Int64.self)
        made[try row.decode("prompt", String.self)] = try await site.pictures(of: job).map(\.pixels)
      }
    }
    return made
  }
}
