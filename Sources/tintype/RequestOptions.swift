import ArgumentParser

/// What to draw: the options that `generate` and `enqueue` share, named as the columns of `tintype.jobs` are. Each takes the word
/// behind it whatever that is: seeds may be negative, and a prompt may begin with a dash.
struct RequestOptions: ParsableArguments {
  @Option(
    parsing: .unconditional, help: "The text to draw. Words beyond the model's 77 tokens are cut, with a warning.")
  var prompt: String

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "What to steer away from. Has an effect only with --guidance-scale above 1.", valueName: "text"))
  var negativePrompt: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Denoising steps, 1 to 50; turbo models are made for 1 to 4. [default: 1, or 2 with an initial picture]",
      valueName: "n"))
  var steps: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Classifier-free guidance, 0 to 50; at 1 and below it is off, as turbo models expect. [default: 0]",
      valueName: "x"))
  var guidanceScale: Double?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Seed of the first picture; picture i uses seed + i. [default: drawn at random, and reported]", valueName: "n"))
  var seed: Int64?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Width in pixels, a multiple of 8 from 8 to 4096. [default: the model's own, or the initial picture's]",
      valueName: "pixels"))
  var width: Int?

  @Option(parsing: .unconditional, help: ArgumentHelp("Height in pixels, as --width.", valueName: "pixels"))
  var height: Int?

  @Option(parsing: .unconditional, help: ArgumentHelp("Number of pictures, 1 to 64. [default: 1]", valueName: "n"))
  var count: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      """
      How much of the initial picture is replaced, 0 to 1: trunc(steps × strength) steps run, and that must be at least \
      1. [default: 0.5, or 1 with one step]
      """, valueName: "x"))
  var strength: Double?
}
