package import Tensors

/// What some neighbours in a batch are told beside latents and timestep: a prompt, or a negative prompt and a prompt.
///
/// A batch has several of them, one after the other, rather than one of all its members: so what the layers make of a text is made, and
/// remembered, of that text alone, whatever else is drawn with it.
package struct TextConditioning: Sendable {
  /// The text, `[n, S, K]`.
  package let context: Tensor
  /// SDXL's second conditioning, for the same members; nil in SD.
  package let added: AddedConditioning?
  /// What the layers made of both.
  package let memo: UNetMemo

  /// SDXL's second conditioning.
  package struct AddedConditioning: Sendable {
    /// Pooled text, `[n, P]`.
    package let textEmbeds: Tensor
    /// Six numbers a picture: original height and width, crop top and left, target height and width.
    package let timeIDs: [[Float]]

    /// One row for each member.
    package init(textEmbeds: Tensor, timeIDs: [[Float]]) {
      self.textEmbeds = textEmbeds
      self.timeIDs = timeIDs
    }
  }

  /// - Parameter memo: kept by a caller that comes back with the same `context` and `added.textEmbeds`.
  package init(context: Tensor, added: AddedConditioning?, memo: UNetMemo = UNetMemo()) {
    self.context = context
    self.added = added
    self.memo = memo
  }

  /// Members that it is for.
  var count: Int { context.shape[0] }
}
