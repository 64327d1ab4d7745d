/// What the networks report to, at every block: the multiply-accumulates that they have done.
///
/// Steps alone would be a poor measure of a run: a turbo model takes one, and more than half of the time goes to the VAE.
package final class WorkMeter {
  private let report: (_ cost: Double) throws -> Void

  /// - Parameter report: told each block's multiply-accumulates; what it throws ends the network's evaluation.
  package init(_ report: @escaping (_ cost: Double) throws -> Void) { self.report = report }

  /// A meter that nobody reads and that never stops a run.
  package static var unobserved: WorkMeter { WorkMeter { _ in } }

  /// Counts a finished block.
  /// - Throws: `CancellationError` when nobody wants the result any more.
  func advance(_ cost: Double) throws { try report(cost) }
}
