internal import FoundationEssentials

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#else
  internal import Darwin
#endif

/// Where int8 weights are kept between runs: `int8/COMPONENT.safetensors` in the model's folder; where that cannot be written, in a
/// folder of this user or of the system's choice, under a name that has the weights' identity in it.
///
/// Any number of processes may use it at once: the first that needs a file makes it, under a lock, and the others wait for it. The
/// files may be deleted at any time; a process that has one mapped keeps it.
struct QuantizationCache {
  let model: String
  /// Nil: as above.
  let folder: String?

  /// The component's int8 layers, made if they are not there or not sound.
  ///
  /// - Throws: ``DiffusionError`` when they can be written nowhere, and what `progress` throws.
  func weights(
    component: String, from source: QuantizationSource, progress: (Double) throws -> Void
  ) throws -> QuantizedWeights {
    let places = places(component, source)
    for path in places {
      if let found = QuantizedWeights(path: path, source: source) { return found }
    }
    var reasons: [String] = []
    for path in places {
      let folder = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
      do {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        return try withLock(on: folder) {
          // Another process may have made it while this one waited.
          if let found = QuantizedWeights(path: path, source: source) { return found }
          removeRemains(in: folder)
          try QuantizedWeights.write(source, to: path, progress: progress)
          guard let made = QuantizedWeights(path: path, source: source) else {
            throw DiffusionError(.checkpoint, "\(path): what was written cannot be read back; the disk may be failing")
          }
          return made
        }
      } catch let error as CancellationError {
        throw error
      } catch {
        reasons.append("\(folder): \(error)")
      }
    }
    let megabytes = source.layers.reduce(0) { $0 + $1.shape.reduce(1, *) } / 1_000_000
    throw DiffusionError(
      .checkpoint,
      "the int8 weights of the \(component) (\(megabytes) MB) can be kept nowhere: \(reasons.joined(separator: "; ")). "
        + "Name a folder with room for them (--cache-dir), or run without --precision int8.")
  }

  /// Files in the order in which they are looked for and written.
  private func places(_ component: String, _ source: QuantizationSource) -> [String] {
    let named = "\(component)-\(source.identity).safetensors"
    if let folder { return ["\(folder)/\(named)"] }
    let environment = ProcessInfo.processInfo.environment
    // systemd names the service's own cache folder, or several with colons between.
    let service = environment["CACHE_DIRECTORY"].flatMap { $0.split(separator: ":").first.map(String.init) }
    let user = environment["XDG_CACHE_HOME"] ?? environment["HOME"].map { "\($0)/.cache" }
    return ["\(model)/int8/\(component).safetensors"]
      + [service, user.map { "\($0)/tintype" }].compactMap(\.self).map { "\($0)/\(named)" }
  }

  /// Runs `body` while no other process runs one for the same folder. The system lets go of the lock when the process ends, however it
  /// ends.
  private func withLock<R>(on folder: String, _ body: () throws -> R) throws -> R {
    let path = "\(folder)/.lock"
    let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      throw DiffusionError(.checkpoint, "\(path) cannot be opened: \(unsafe String(cString: strerror(errno)))")
    }
    defer { close(descriptor) }
    while flock(descriptor, LOCK_EX) != 0 {
      guard errno == EINTR else {
        throw DiffusionError(.checkpoint, "\(path) cannot be locked: \(unsafe String(cString: strerror(errno)))")
      }
    }
    return try body()
  }

  /// What processes left that were ended while they wrote. Whoever writes holds the lock, so nobody does now.
  private func removeRemains(in folder: String) {
    for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] where name.hasSuffix(".tmp") {
      try? FileManager.default.removeItem(atPath: "\(folder)/\(name)")
    }
  }
}
