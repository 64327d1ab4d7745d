import Diffusion
import Foundation
import JobStore
import Jobs
import Monitoring
import Postgres
import Safetensors
import Tensors
import Worker

extension CommandError {
  /// The exit status and the remedy for errors of the layers below; nil for what nobody foresaw.
  init?(translating error: any Error) {
    switch error {
    case let error as PostgresError: self.init(error)
    case let error as MigrationError: self.init(.configuration, error.message)
    case let error as WorkerError: self.init(error)
    case let error as CheckpointError:
      self.init(error.code == .notACheckpoint || error.code == .missingFile ? .notFound : .invalidData, "\(error)")
    case let error as SafetensorsError:
      self.init(error.code == .inputOutput ? .inputOutput : .invalidData, "\(error)")
    case let error as SchedulerError: self.init(.invalidData, "\(error)")
    case let error as DiffusionError: self.init(Self.status(of: error.code), "\(error)")
    case let error as DeviceError: self.init(Self.status(of: error.code), error.message)
    case let error as JobError: self.init(Self.status(ofJobError: error.code), error.message)
    case let error as ListenError:
      self.init(
        .unavailable, "\(error)", remedy: "Is something listening there already? Give another address with --listen.")
    case is CancellationError: self.init(.interrupted, "stopped; nothing was written.")
    case let error as CocoaError: self.init(.inputOutput, error.localizedDescription)
    default: return nil
    }
  }

  private static func status(of code: DiffusionError.Code) -> ExitStatus {
    switch code {
    // Weights that give NaN are a file's content too.
    case .invalidRequest, .checkpoint, .notFinite: .invalidData
    }
  }

  private static func status(of code: DeviceError.Code) -> ExitStatus {
    switch code {
    case .unsupportedInstructions: .usage
    }
  }

  private static func status(ofJobError code: String) -> ExitStatus {
    switch code {
    case "invalid_request", "init_image_unreadable", "init_image_refused", "init_image_changed", "too_large_for_worker",
      "too_large_for_memory", "not_finite":
      .invalidData
    case "model_unavailable": .notFound
    case "out_of_memory": .temporary
    // What ImageJobs says of an output folder.
    case "output_missing", "output_denied", "output_read_only", "output_unsafe", "artifact_path": .cannotCreate
    case "out_of_disk", "output_io_error", "output_failed", "out_of_descriptors": .inputOutput
    default: .internalError
    }
  }

  /// The cause decides the status, the worker's message says what it was doing.
  private init(_ error: WorkerError) {
    let cause = error.cause.flatMap { CommandError(translating: $0) }
    let status: ExitStatus = error.code == .databaseRefused ? .noPermission : .notFound
    self.init(cause?.status ?? status, error.message, remedy: cause?.remedy)
  }

  /// By SQLSTATE class: what a person can do differs, not what PostgreSQL calls it.
  private init(_ error: PostgresError) {
    let text = Self.sentence(error)
    switch (error.code, error.sqlState ?? "") {
    case (_, "3D000"):
      self.init(
        .configuration, "the database refused: \(text)",
        remedy: "Create it with `createdb` and `tintype migrate`, or give another.")
    case (_, let state) where error.isRefusal || state.hasPrefix("28") || state == "42501":
      self.init(
        .noPermission, "the database refused: \(text)",
        remedy:
          "Check the user and its password (.pgpass, PGPASSWORD or a systemd credential), and its roles: Docs/sql.md, Rights."
      )
    case (_, "3F000"), (_, "42P01"), (_, "42883"):
      self.init(
        .configuration, "this database has no Tintype schema that fits this program: \(text)",
        remedy: "Install or update it with `tintype migrate`; `tintype migrate --status` shows what is there.")
    case (_, "02000"), (_, "P0002"): self.init(.notFound, text, remedy: error.hint)
    case (_, let state) where state.hasPrefix("22") || state.hasPrefix("23") || state == "P0001":
      self.init(.invalidData, text, remedy: error.hint)
    case (_, "55000"): self.init(.invalidData, text, remedy: error.hint)
    case (.configuration, _): self.init(.usage, text, remedy: error.hint)
    case (.connect, _):
      self.init(
        .unavailable, "the database cannot be reached: \(text)",
        remedy:
          "Set --database-url, TINTYPE_DATABASE_URL or libpq's PGHOST, PGDATABASE, …; or start a private one: `tintype up`."
      )
    case _ where error.isRetryable || error.isQueryCanceled:
      self.init(.temporary, "the database did not answer in time or went away: \(text)", remedy: "Try again.")
    default: self.init(.internalError, "the database reported: \(error)")
    }
  }

  /// The server's message, or libpq's several lines, as sentences.
  private static func sentence(_ error: PostgresError) -> String {
    let lines = [error.message, error.detail].compactMap(\.self).flatMap { $0.split(separator: "\n") }
    let sentences = lines.map { line in
      let text = line.trimmingCharacters(in: .whitespaces)
      return text.last.map { ".?!".contains($0) } == true ? text : "\(text)."
    }
    return sentences.joined(separator: " ")
  }
}
