import ArgumentParser

struct DoctorCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Say whether a worker would run here, and what to do if not.",
    discussion: """
      Looks at the processor and which kernels it gets, memory, the models (every tensor in its place, and whether a picture \
      fits), the database (reachable, schema, roles) and the folders. Takes the settings of `tintype worker`, so run it with \
      the same flags and environment. Nothing is changed; a small file is written to the output folder and removed.

      Exits with 0 when nothing failed, else with the status that the first failure would give a worker.

      Example:
        tintype doctor --model sdxl-turbo --output pictures --database-url postgresql:///pictures
      """)

  @OptionGroup var database: DatabaseOptions
  @Option(name: Settings.models.name, help: Settings.models.help) var model: [ModelList] = []
  @Option(name: Settings.output.name, help: Settings.output.help) var output: String?
  @Option(name: Settings.input.name, help: Settings.input.help) var input: String?
  @OptionGroup var precision: PrecisionOptions
  @Option(name: Settings.threads.name, help: Settings.threads.help) var threads: PositiveInteger?
  @Option(name: Settings.memoryLimit.name, help: Settings.memoryLimit.help) var memoryLimit: ByteCount?
  @Flag(help: "Print JSON on standard output.") var json = false

  struct Report: Encodable {
    let version: String
    /// Nothing failed.
    let ok: Bool
    let findings: [DoctorFinding]
  }

  func run() async throws {
    let threads = try Settings.threads.resolve(threads)
    let limit = try Settings.memoryLimit.resolve(memoryLimit)
    let models = try Settings.models.resolve(ModelList.joining(model))?.entries ?? []
    var findings = MachineChecks(threads: threads, memoryLimit: limit).findings()
    findings += ModelChecks(
      models: models, threads: threads, memoryLimit: limit, quantization: try precision.quantization()
    ).findings()
    findings += await DatabaseChecks(options: database).findings()
    findings += FolderChecks(
      output: try Settings.output.resolve(output), input: try Settings.input.resolve(input)
    ).findings()

    let failures = findings.filter { $0.status == .failure }
    if json {
      try JSONOutput.print(Report(version: Version.text, ok: failures.isEmpty, findings: findings))
    } else {
      Self.print(findings)
    }
    if let first = failures.first {
      throw CommandError(
        first.exitStatus,
        "\(failures.count) of \(findings.count) checks failed: "
          + failures.map(\.name).joined(separator: ", ") + ".")
    }
  }

  private static func print(_ findings: [DoctorFinding]) {
    let width = findings.map(\.name.count).max() ?? 0
    for finding in findings {
      let mark =
        switch finding.status {
        case .ok: "ok      "
        case .warning: "warning "
        case .failure: "FAILURE "
        case .skipped: "–       "
        }
      let space = String(repeating: " ", count: width - finding.name.count)
      Swift.print("\(mark)\(finding.name)\(space)  \(PlainText.escapingControls(finding.detail))")
      if let remedy = finding.remedy {
        Swift.print(String(repeating: " ", count: width + 10) + "→ " + PlainText.escapingControls(remedy))
      }
    }
  }
}
