import ArgumentParser

/// What to draw: the options that `generate` and `enqueue` share, named as the columns of `tintype.jobs` are.
struct RequestOptions: ParsableArguments {
  @Option(help: "The text to draw. Cut after 75 tokens, with a warning.")
  var prompt: String

  @Option(help: "What to steer away from. Has an effect only with --guidance-scale above 1.")
  var negativePrompt: String?

  @Option(help: "Denoising steps, 1 to 50. Turbo models are made for 1 to 4.")
  var steps = 1

  @Option(help: "Classifier-free guidance, 0 to 50; at 0 and 1 it is off, as turbo models expect.")
  var guidanceScale = 0.0

  @Option(help: "Seed of the first picture; the next ones use seed + 1, + 2, … Drawn at random if not given, and reported.")
  var seed: Int64?

  @Option(help: "Width in pixels, a multiple of 8. Default: the model's own or, with --init-image, the picture's.")
  var width: Int?

  @Option(help: "Height in pixels, a multiple of 8. Default: as for --width.")
  var height: Int?

  @Option(help: "Number of pictures.")
  var count = 1

  @Option(
    help: "How much of the initial picture is replaced, 0 to 1. Of the steps, floor(steps × strength) run: at least 1.")
  var strength: Double?
}
