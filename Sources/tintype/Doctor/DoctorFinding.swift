/// One thing that `tintype doctor` looked at.
struct DoctorFinding: Encodable, Sendable, Equatable {
  enum Status: String, Encodable, Sendable {
    case ok
    /// Works, but not as well as it could.
    case warning
    /// Something that was asked for does not work.
    case failure
    /// Nobody asked for it here.
    case skipped
  }

  /// As `processor`, `model demo`.
  let name: String
  let status: Status
  /// What was found.
  let detail: String
  /// What to do; nil where nothing is to be done.
  let remedy: String?
  /// How the process ends if this is the first failure.
  let exitStatus: ExitStatus

  private enum CodingKeys: String, CodingKey { case name, status, detail, remedy }

  static func ok(_ name: String, _ detail: String) -> DoctorFinding {
    DoctorFinding(name: name, status: .ok, detail: detail, remedy: nil, exitStatus: .success)
  }

  static func skipped(_ name: String, _ detail: String, remedy: String) -> DoctorFinding {
    DoctorFinding(name: name, status: .skipped, detail: detail, remedy: remedy, exitStatus: .success)
  }

  static func warning(_ name: String, _ detail: String, remedy: String) -> DoctorFinding {
    DoctorFinding(name: name, status: .warning, detail: detail, remedy: remedy, exitStatus: .success)
  }

  static func failure(_ name: String, _ detail: String, remedy: String?, _ exitStatus: ExitStatus) -> DoctorFinding {
    DoctorFinding(name: name, status: .failure, detail: detail, remedy: remedy, exitStatus: exitStatus)
  }

  /// What went wrong while something was looked at.
  static func failure(_ name: String, _ error: any Error) -> DoctorFinding {
    let known = CommandError(translating: error) ?? (error as? CommandError)
    return failure(name, known?.message ?? "\(error)", remedy: known?.remedy, known?.status ?? .internalError)
  }

  /// Runs a check; what it throws is a finding too.
  static func of(_ name: String, _ check: () throws -> [DoctorFinding]) -> [DoctorFinding] {
    do { return try check() } catch { return [failure(name, error)] }
  }
}
