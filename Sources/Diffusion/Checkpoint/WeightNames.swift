/// Spellings of tensor names that differ between releases of the libraries that wrote them.
enum WeightNames {
  /// The name that networks ask for.
  static func current(_ stored: String, component: String) -> String {
    if component.hasPrefix("text_encoder") {
      let prefix = "text_model."
      return stored.hasPrefix(prefix) ? String(stored.dropFirst(prefix.count)) : stored
    }
    if component == "vae" { return currentAttention(stored) }
    return stored
  }

  /// Before diffusers 0.17 the one attention of a VAE's middle block had names of its own.
  private static func currentAttention(_ stored: String) -> String {
    var parts = stored.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    guard parts.count >= 4, parts[parts.count - 4] == "attentions" else { return stored }
    switch parts[parts.count - 2] {
    case "query": parts[parts.count - 2] = "to_q"
    case "key": parts[parts.count - 2] = "to_k"
    case "value": parts[parts.count - 2] = "to_v"
    case "proj_attn": parts[parts.count - 2] = "to_out.0"
    default: return stored
    }
    return parts.joined(separator: ".")
  }

  /// Whether a tensor is a constant and not a weight.
  static func isIgnored(_ name: String) -> Bool {
    name == "position_ids" || name.hasSuffix(".position_ids")
  }
}
