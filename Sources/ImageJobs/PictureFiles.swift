internal import Diffusion
internal import Jobs

/// The files of a job, in and out, on a thread of their own: decoding a large picture takes a second and an fsync on a busy
/// disk takes longer, neither of which may hold up a heartbeat.
actor PictureFiles {
  private let source: InitImageSource
  private let store: ArtifactStore
  private let thread = DedicatedThread(name: "files")

  nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe thread.asUnownedSerialExecutor() }

  init(source: InitImageSource, store: ArtifactStore) {
    self.source = source
    self.store = store
  }

  /// The picture that a job starts from; nil for text-to-image.
  func initialPicture(of job: Job) throws -> InitialPicture? {
    guard let image = job.initImage else { return nil }
    return try source.picture(for: image, width: job.width, height: job.height)
  }

  /// Encodes and stores a job's pictures: all of them or, when this throws, none.
  func store(_ pictures: [(pixels: RGBPixels, seed: Int64, metadata: PNGMetadata)], of job: Job) throws -> [JobImage] {
    var images: [JobImage] = []
    do {
      for (index, picture) in pictures.enumerated() {
        try Task.checkCancellation()
        let file = try encodePNG(picture.pixels, metadata: picture.metadata)
        let written = try store.write(file, job: job.id, attempt: job.attemptID, index: index)
        images.append(
          JobImage(
            index: index, path: written.path, sha256: written.sha256, bytes: file.count, width: picture.pixels.width,
            height: picture.pixels.height, seed: picture.seed))
      }
      return images
    } catch {
      // The row will never point to them. What cannot be removed now is only an orphan; the error that matters is the first.
      try? store.remove(paths: images.map(\.path))
      throw error
    }
  }

  /// Removes the pictures of an attempt that lost its lease.
  func discard(_ images: [JobImage]) throws { try store.remove(paths: images.map(\.path)) }
}
