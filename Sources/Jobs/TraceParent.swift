internal import Foundation

extension Job {
  /// The trace that this job belongs to: `traceparent` of its metadata, as [W3C Trace Context](https://www.w3.org/TR/trace-context/)
  /// writes it (`00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01`); nil when there is none, or it is none.
  ///
  /// Of a later version of that format only what every version begins with: what else it may hold is not known, and goes into logs.
  public var traceparent: String? {
    struct Metadata: Decodable { var traceparent: String? }
    guard metadata.contains("traceparent"),
      let text = try? JSONDecoder().decode(Metadata.self, from: Data(metadata.utf8)).traceparent,
      let match = text.prefixMatch(of: /([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}/),
      match.1 != "ff", match.2.contains(where: { $0 != "0" }), match.3.contains(where: { $0 != "0" })
    else { return nil }
    let rest = text[match.range.upperBound...]
    guard rest.isEmpty || (match.1 != "00" && rest.hasPrefix("-")) else { return nil }
    return String(match.0)
  }
}
