internal import Diffusion
internal import Jobs

extension DiffusionError {
  /// As the row keeps it. A request that this model cannot serve stays impossible. A broken checkpoint is this worker's
  /// trouble, so another one may do better; so is a network that overflows, since the device's precision decides.
  var jobError: JobError {
    switch code {
    case .invalidRequest: JobError(code: "invalid_request", message: message, isPermanent: true)
    case .checkpoint: JobError(code: "model_unavailable", message: message, isPermanent: false)
    case .notFinite: JobError(code: "not_finite", message: message, isPermanent: false)
    }
  }
}
