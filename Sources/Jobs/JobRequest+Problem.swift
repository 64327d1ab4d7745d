extension JobRequest {
  /// The first thing about this request that the table would refuse, as far as it shows without a database: whether the
  /// queue and `init_job` exist is not known here.
  public var problem: RequestProblem? {
    textProblem ?? pictureProblem ?? startProblem ?? stepsProblem ?? timeProblem
  }

  private var hasInitialPicture: Bool { initImage != nil || initImageData != nil || initJob != nil }

  private var textProblem: RequestProblem? {
    if prompt.utf8.count > RequestLimits.textBytes.upperBound {
      return RequestProblem("prompt", must: "a text of at most 16384 bytes", got: "\(prompt.utf8.count) bytes")
    }
    if let text = negativePrompt, text.utf8.count > RequestLimits.textBytes.upperBound {
      return RequestProblem(
        "negative_prompt", must: "a text of at most 16384 bytes, or null", got: "\(text.utf8.count) bytes")
    }
    if let model, !Self.isModelName(model) {
      return RequestProblem(
        "model",
        must: "a name of 1 to 200 letters, digits and . _ / + -, beginning with a letter or digit, or null for the "
          + "worker's default", got: quoted(model))
    }
    if let key = idempotencyKey, !RequestLimits.idempotencyKeyLength.contains(key.unicodeScalars.count) {
      return RequestProblem(
        "idempotency_key", must: "1 to 200 characters, or null", got: "\(key.unicodeScalars.count) characters")
    }
    for (column, label) in [("tenant", tenant), ("concurrency_key", concurrencyKey)] {
      if let label, !RequestLimits.labelLength.contains(label.unicodeScalars.count) {
        return RequestProblem(
          column, must: "1 to 200 characters, or null", got: "\(label.unicodeScalars.count) characters")
      }
    }
    return nil
  }

  private static func isModelName(_ name: String) -> Bool {
    func isAlphanumeric(_ byte: UInt8) -> Bool {
      switch byte {
      case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"):
        true
      default: false
      }
    }
    return RequestLimits.modelNameLength.contains(name.utf8.count)
      && name.utf8.first.map(isAlphanumeric) == true
      && name.utf8.allSatisfy { isAlphanumeric($0) || "._/+-".utf8.contains($0) }
  }

  private var pictureProblem: RequestProblem? {
    for (column, side) in [("width", width), ("height", height)] {
      if let side, !RequestLimits.side.contains(side) || !side.isMultiple(of: RequestLimits.sideMultiple) {
        return RequestProblem(
          column, must: "a multiple of 8 from 8 to 4096, or null for the model's own size", got: "\(side)")
      }
    }
    if let imageCount, !RequestLimits.imageCount.contains(imageCount) {
      return RequestProblem("image_count", must: "from 1 to 64", got: "\(imageCount)")
    }
    if let guidanceScale, !RequestLimits.guidanceScale.contains(guidanceScale) {
      return RequestProblem("guidance_scale", must: "from 0 to 50", got: printed(guidanceScale))
    }
    return nil
  }

  private var startProblem: RequestProblem? {
    let given = [
      initImage.map { _ in "init_image" }, initImageData.map { _ in "init_image_data" },
      initJob.map { _ in "init_job" },
    ].compactMap(\.self)
    if given.count > 1 {
      return RequestProblem(
        given[1],
        must: "null when another initial picture is given: at most one of init_image, init_image_data and init_job",
        got: given.joined(separator: " and "))
    }
    if let path = initImage, !Self.isInputPath(path) {
      return RequestProblem(
        "init_image",
        must: "a relative path of 1 to 1024 bytes below the worker's input root, without \"..\" and control characters",
        got: quoted(path))
    }
    if let data = initImageData {
      let isImage =
        data.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) || data.starts(with: [0xFF, 0xD8, 0xFF])
      if data.count > RequestLimits.initImageBytes.upperBound {
        return RequestProblem(
          "init_image_data", must: "a PNG or JPEG file of at most 16 MiB", got: "\(data.count) bytes")
      }
      if !isImage {
        let start = data.prefix(8).hexadecimal
        return RequestProblem(
          "init_image_data", must: "a PNG or JPEG file of at most 16 MiB",
          got: "\(data.count) bytes that begin with \(start.isEmpty ? "nothing" : start)")
      }
    }
    return nil
  }

  private static func isInputPath(_ path: String) -> Bool {
    RequestLimits.initImagePathBytes.contains(path.utf8.count) && path.utf8.first != UInt8(ascii: "/")
      && !path.split(separator: "/").contains("..")
      && path.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
  }

  private var stepsProblem: RequestProblem? {
    let steps = steps ?? (hasInitialPicture ? 2 : 1)
    if !RequestLimits.steps.contains(steps) {
      return RequestProblem("steps", must: "from 1 to 50", got: "\(steps)")
    }
    if !hasInitialPicture {
      guard let strength else { return nil }
      return RequestLimits.strength.contains(strength)
        ? RequestProblem(
          "strength", must: "null without an initial picture (init_image, init_image_data or init_job)",
          got: printed(strength))
        : RequestProblem(
          "strength", must: "from 0 to 1 with an initial picture, and null without", got: printed(strength))
    }
    let strength = strength ?? (steps == 1 ? 1 : 0.5)
    if !RequestLimits.strength.contains(strength) {
      return RequestProblem("strength", must: "from 0 to 1", got: printed(strength))
    }
    // Truncated in double precision, as the pipelines of the field compute it.
    if (Double(steps) * strength).rounded(.towardZero) < 1 {
      return RequestProblem(
        "strength",
        must: "large enough that trunc(steps x strength) is at least 1 (with \(steps) steps, at least "
          + "\(printed(1 / Double(steps))))", got: printed(strength))
    }
    return nil
  }

  private var timeProblem: RequestProblem? {
    if let seed, seed > Int64.max - Int64((imageCount ?? 1) - 1) {
      return RequestProblem("seed", must: "at most 9223372036854775807 - (image_count - 1)", got: "\(seed)")
    }
    if let priority, !RequestLimits.priority.contains(priority) {
      return RequestProblem("priority", must: "from -1000 to 1000", got: "\(priority)")
    }
    if let maxAttempts, !RequestLimits.maxAttempts.contains(maxAttempts) {
      return RequestProblem("max_attempts", must: "from 1 to 100, or null for the queue's", got: "\(maxAttempts)")
    }
    if let timeout, !RequestLimits.timeout.contains(timeout) {
      return RequestProblem(
        "timeout", must: "from 1 second to 7 days, or null for the queue's", got: "\(printed(timeout)) seconds")
    }
    return nil
  }
}

/// As PostgreSQL prints a double precision.
private func printed(_ value: Double) -> String {
  if value.isNaN { return "NaN" }
  if value.isInfinite { return value < 0 ? "-Infinity" : "Infinity" }
  if value == 0, value.sign == .minus { return "-0" }
  return value == value.rounded() && abs(value) < 1e15 ? "\(Int64(value))" : "\(value)"
}

/// As `quote_literal(left(text, 80))` in PostgreSQL, backslashes apart.
private func quoted(_ text: String) -> String {
  let start = String(String.UnicodeScalarView(text.unicodeScalars.prefix(80)))
  return "'" + start.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''") + "'"
}
