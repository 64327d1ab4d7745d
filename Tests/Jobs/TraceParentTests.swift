import Jobs
import Testing

@Suite struct TraceParentTests {
  static let trace = "4bf92f3577b34da6a3ce929d0e0e4736", span = "00f067aa0ba902b7"

  @Test(arguments: [
    ("00-\(trace)-\(span)-01", "00-\(trace)-\(span)-01"),
    // A later version: what every version begins with.
    ("01-\(trace)-\(span)-01", "01-\(trace)-\(span)-01"),
    ("cc-\(trace)-\(span)-09-what-comes-\u{1B}[31m", "cc-\(trace)-\(span)-09"),
    // None of these is one.
    ("00-\(trace)-\(span)-01-more", nil), ("01-\(trace)-\(span)-01more", nil), ("ff-\(trace)-\(span)-01", nil),
    ("00-00000000000000000000000000000000-\(span)-01", nil), ("00-\(trace)-0000000000000000-01", nil),
    ("00-\(trace.uppercased())-\(span)-01", nil), ("00-\(trace)-\(span)", nil), ("", nil),
    ("x00-\(trace)-\(span)-01", nil),
  ]) func readsWhatTheStandardAllows(text: String, expected: String?) {
    let escaped = text.replacing("\u{1B}", with: "\\u001b")
    let job = Job(id: 1, attemptID: 1, prompt: "", seed: 1, metadata: #"{"order": 7, "traceparent": "\#(escaped)"}"#)
    #expect(job.traceparent == expected)
  }

  @Test(arguments: [
    "{}", #"{"traceparent": 7}"#, #"{"traceparent": null}"#, #"{"other": "traceparent"}"#, #"{"traceparent": {}}"#,
  ])
  func metadataWithoutOneHasNone(metadata: String) {
    #expect(Job(id: 1, attemptID: 1, prompt: "", seed: 1, metadata: metadata).traceparent == nil)
  }
}
