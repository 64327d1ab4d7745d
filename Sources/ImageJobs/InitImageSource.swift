package import Diffusion
internal import Glibc
package import Jobs

/// Where an image-to-image run starts.
package struct InitialPicture: Sendable {
  /// In the size of the result.
  package var pixels: RGBPixels
  /// Of the encoded file.
  package var sha256: [UInt8]
}

/// Fetches the picture that an image-to-image job starts from.
///
/// Whoever may enqueue chooses the path, so the path is hostile: it is walked part by part from the input root with no
/// symbolic link followed, and only regular files of bounded size are read.
public struct InitImageSource: Sendable {
  /// Directory below which `jobs.init_image` names files; nil when this worker takes none.
  public let inputRoot: String?
  /// Directory of the artifacts, for `jobs.init_job`.
  public let outputRoot: String
  /// Bounds on the file and on the decoded picture.
  public let limits: ImageJobLimits
  let calls: SystemCalls

  /// A source that reads below these two directories and nowhere else.
  public init(inputRoot: String?, outputRoot: String, limits: ImageJobLimits = ImageJobLimits()) {
    self.init(inputRoot: inputRoot, outputRoot: outputRoot, limits: limits, calls: .kernel)
  }

  package init(inputRoot: String?, outputRoot: String, limits: ImageJobLimits, calls: SystemCalls) {
    self.inputRoot = inputRoot
    self.outputRoot = outputRoot
    self.limits = limits
    self.calls = calls
  }

  /// The decoded picture in the size that the job's result will have: the requested one, else the picture's own floored
  /// to multiples of 8.
  ///
  /// - Throws: `JobError` with code `init_image_refused`, `init_image_unreadable` or `init_image_changed`.
  package func picture(for image: Job.InitImage, width: Int?, height: Int?) throws -> InitialPicture {
    let encoded = try bytes(of: image)
    let picture: DecodedPicture
    do {
      picture = try DecodedPicture(encoded, maximumPixels: limits.maximumInitImagePixels)
    } catch {
      throw JobError(
        code: "init_image_unreadable",
        message: "\(column(of: image)): \(error). Legal are PNG and JPEG pictures of at most "
          + "\(limits.maximumInitImagePixels) pixels.", isPermanent: true)
    }
    let size = (width: width ?? picture.width / 8 * 8, height: height ?? picture.height / 8 * 8)
    guard size.width > 0, size.height > 0 else {
      throw JobError(
        code: "init_image_unreadable",
        message:
          "\(column(of: image)): the picture is \(picture.width) × \(picture.height); give width and height, or a "
          + "picture of at least 8 × 8 pixels", isPermanent: true)
    }
    try ImageRequest.checkSize(width: size.width, height: size.height, limits: limits)
    return InitialPicture(
      pixels: picture.resized(width: size.width, height: size.height), sha256: SHA256.hash(encoded))
  }

  /// The encoded picture.
  package func bytes(of image: Job.InitImage) throws -> [UInt8] {
    switch image {
    case .data(let bytes):
      guard bytes.count <= limits.maximumInitImageBytes else {
        throw refusal(image, "it has \(bytes.count) bytes; at most \(limits.maximumInitImageBytes) are accepted")
      }
      return bytes
    case .inputPath(let path):
      guard let inputRoot else {
        throw refusal(image, "this worker has no input directory (start it with --input DIR)")
      }
      return try read(path, under: inputRoot, for: image)
    case .artifact(let path, let sha256):
      let bytes = try read(path, under: outputRoot, for: image)
      guard SHA256.hash(bytes) == sha256 else {
        throw JobError(
          code: "init_image_changed",
          message:
            "init_job: \(path) is not the file that was recorded, its SHA-256 differs. Draw that job again, or send "
            + "the picture in init_image_data.", isPermanent: true)
      }
      return bytes
    }
  }

  private func read(_ path: String, under root: String, for image: Job.InitImage) throws -> [UInt8] {
    do {
      return try calls.readFile(
        RelativePath(path), under: calls.openRoot(root), limit: limits.maximumInitImageBytes)
    } catch let error as RelativePath.Invalid {
      throw refusal(image, error.reason)
    } catch let error as UnreadableFile {
      throw refusal(image, error.reason)
    } catch let error as SystemCallError {
      switch error.errno {
      case ELOOP, ENOTDIR:
        throw refusal(image, "a part of the path is a symbolic link or not a directory; links are not followed")
      case ENXIO:
        throw refusal(image, "it is not a regular file")
      case ENOENT, EACCES, ENAMETOOLONG:
        throw JobError(
          code: "init_image_unreadable", message: "\(column(of: image)): “\(path)” cannot be read: \(error.reason)",
          isPermanent: true)
      default:
        // A failing disk or too many open files says nothing about the job.
        throw JobError(
          code: "init_image_unreadable", message: "\(column(of: image)): “\(path)” cannot be read: \(error.reason)",
          isPermanent: false)
      }
    }
  }

  private func refusal(_ image: Job.InitImage, _ reason: String) -> JobError {
    JobError(
      code: "init_image_refused",
      message: "\(column(of: image)): \(reason). Legal is a PNG or JPEG file below the worker's input directory.",
      isPermanent: true)
  }

  private func column(of image: Job.InitImage) -> String {
    switch image {
    case .inputPath: "init_image"
    case .data: "init_image_data"
    case .artifact: "init_job"
    }
  }
}
