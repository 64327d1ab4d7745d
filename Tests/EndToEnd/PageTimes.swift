import TestSupport
import Testing

/// What the page asks for, on a month's history of a million jobs with twenty thousand waiting.
enum PageTimes {
  static func check(_ site: Site) async throws {
    let dashboard = try await Page.serve(site, "--output", site.output, role: "tintype_admin")
    defer { dashboard.end() }
    // What a page looks at every two to ten seconds, then what somebody waits for once. The whole way: database, JSON, HTTP.
    for (path, marker) in [
      ("events", "event: hour"), ("api/jobs", nil), ("api/gallery?limit=8", nil), ("api/jobs/900000", nil),
    ] {
      try await expect(path, within: .seconds(1), until: marker, of: dashboard)
    }
    for path in [
      "api/jobs?before=500000", "api/jobs?state=failed", "api/jobs?state=running", "api/jobs?state=ready",
      "api/jobs?queue=nightly",
      "api/jobs?search=boat", "api/jobs?search=nothing+has+these+words", "api/jobs?search=123456",
      "api/jobs?search=not_finite",
      "api/gallery", "api/gallery?search=nothing+has+these+words", "api/gallery?before=500000.0",
    ] { try await expect(path, within: .seconds(2), until: nil, of: dashboard) }
  }

  /// The best of three: one slow run says that the machine was busy.
  private static func expect(
    _ path: String, within limit: Duration, until marker: String?, of dashboard: Page
  ) async throws {
    var times: [Duration] = []
    var best = Duration.seconds(600)
    repeat {
      let began = ContinuousClock.now
      let answer = try await dashboard.ask(path, until: marker)
      times.append(ContinuousClock.now - began)
      best = min(best, times[times.count - 1])
      #expect(answer.status == 200 && answer.body.count > 1, "\(path): \(answer)")
    } while best > limit && times.count < 3
    #expect(best <= limit, "\(path): \(times)")
  }
}
