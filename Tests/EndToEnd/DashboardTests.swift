import Foundation
import Postgres
import TestSupport
import Testing

/// The page as people meet it: the real command, a real browser, a real database.
@Suite struct DashboardTests {
  @Test(.enabled(if: Browser.isExpected), .timeLimit(.minutes(5))) func aPersonFindsAJobAndItsPicture() async throws {
    let program = try #require(Browser.program, "no Chromium: apt-get install chromium")
    try await Site.with { site in
      try site.startWorker("--max-jobs", "1")
      let job = try await site.enqueue("prompt, seed", "'a lake & <b>mountains</b>', 7")
      try await site.wait(for: job, toBe: "succeeded")
      let dashboard = try await Page.serve(site, "--output", site.output)
      defer { dashboard.end() }
      let browser = try Browser(program: program, width: 1280, height: 900)
      try browser.open(dashboard.url)
      try await browser.wait(for: "document.getElementById('live').textContent === 'live'")
      try await browser.wait(for: "document.querySelector('main h2')?.textContent === 'Now'")
      #expect(try browser.evaluate("document.querySelectorAll('main table').length") as? Int == 3)

      try browser.open("\(dashboard.url)#/jobs?search=mountains")
      try await browser.wait(for: "document.querySelector('td a')")
      // A prompt is text, whatever it holds.
      #expect(
        try browser.evaluate("document.querySelector('td.w').textContent") as? String == "a lake & <b>mountains</b>")
      #expect(try browser.evaluate("document.querySelectorAll('main b').length") as? Int == 0)

      // By keyboard alone: from the field that searches to the job.
      _ = try browser.evaluate("document.querySelector('input[name=search]').focus()")
      for _ in 0..<2 { try browser.press("Tab") }
      try browser.press("Tab")
      #expect(try browser.evaluate("document.activeElement.textContent") as? String == "\(job)")

      try browser.open("\(dashboard.url)#/job/\(job)")
      try await browser.wait(for: "document.querySelector('figure img')?.naturalWidth === 128")
      let text = try browser.evaluate("document.querySelector('main').innerText") as? String ?? ""
      #expect(text.contains("succeeded") && text.contains("a lake & <b>mountains</b>") && text.contains("vae_decode"))
      #expect(text.contains("seed 7"))

      try browser.open("\(dashboard.url)#/gallery")
      try await browser.wait(for: "document.querySelector('.gallery img')?.complete")
      // Every picture has words for who cannot see it, every control a name.
      #expect(try browser.evaluate("[...document.images].every(i => i.alt !== '')") as? Bool == true)
      #expect(browser.complaints.isEmpty, "\(browser.complaints)")
    }
  }

  @Test(.enabled(if: Browser.isExpected), .timeLimit(.minutes(5))) func tenThousandJobsFitAPhoneInTheDark() async throws
  {
    let program = try #require(Browser.program, "no Chromium: apt-get install chromium")
    try await Site.with { site in
      try await site.database.execute(
        "INSERT INTO tintype.jobs (prompt) SELECT 'job number ' || n FROM generate_series(1, 10000) n")
      let dashboard = try await Page.serve(site)
      defer { dashboard.end() }
      let browser = try Browser(program: program, width: 390, height: 844, isDark: true)
      let began = ContinuousClock.now
      try browser.open("\(dashboard.url)#/jobs")
      try await browser.wait(for: "document.querySelectorAll('tbody tr').length === 100")
      // Half a second alone on the machine; what must not happen is a list of all.
      #expect(ContinuousClock.now - began < .seconds(20))
      _ = try browser.evaluate("[...document.querySelectorAll('main a')].find(a => a.textContent === 'Older').click()")
      try await browser.wait(for: "document.querySelector('td a')?.textContent === '9900'")
      try browser.open("\(dashboard.url)#/jobs?search=number+77")
      try await browser.wait(for: "document.querySelectorAll('tbody tr').length === 100")
      for page in ["#/", "#/jobs", "#/job/10000"] {
        try browser.open(dashboard.url + page)
        try await browser.wait(for: "document.querySelector('main h2')")
        // Tables scroll in themselves; the page does not.
        #expect(try browser.evaluate("document.documentElement.scrollWidth <= innerWidth") as? Bool == true, "\(page)")
      }
      #expect(try browser.evaluate("getComputedStyle(document.body).backgroundColor") as? String == "rgb(23, 20, 17)")
      #expect(browser.complaints.isEmpty, "\(browser.complaints)")
    }
  }

  @Test func aReaderSeesNoPromptAndNobodyActsWithoutTheToken() async throws {
    try await Site.with { site in
      let job = try await site.enqueue("prompt", "'a secret'")
      let dashboard = try await Page.serve(
        site, "--output", site.output, "--allow-actions", role: "tintype_reader", token: "open-sesame")
      defer { dashboard.end() }
      for path in ["api/jobs", "api/jobs/\(job)", "api/gallery"] {
        let (status, body, _) = try await dashboard.ask(path)
        #expect(status == 200 && !body.contains("secret"), "\(path): \(body)")
      }
      #expect(try await dashboard.ask("pictures/\(job)/0").status == 404)
      #expect(try await dashboard.ask("api/jobs/999999").status == 404)

      let cancel = "api/jobs/\(job)/cancel"
      #expect(try await dashboard.ask(cancel, method: "POST").status == 401)
      #expect(
        try await dashboard.ask(cancel, method: "POST", headers: ["Authorization": "Bearer open-sesam"]).status == 401)
      #expect(
        try await dashboard.ask(cancel, method: "GET", headers: ["Authorization": "Bearer open-sesame"]).status == 404)
      #expect(try await site.state(of: job) == "ready")
      // The token opens the page's actions; what the database user may do is still the database's to say.
      let refused = try await dashboard.ask(cancel, method: "POST", headers: ["Authorization": "Bearer open-sesame"])
      #expect(refused.status == 422 && refused.body.contains("permission denied"), "\(refused)")
      #expect(try await site.state(of: job) == "ready")
    }
  }

  @Test func anAdministratorActsWithTheToken() async throws {
    try await Site.with { site in
      let job = try await site.enqueue()
      let dashboard = try await Page.serve(site, "--allow-actions", role: "tintype_admin", token: "open-sesame")
      defer { dashboard.end() }
      let token = ["Authorization": "Bearer open-sesame"]
      #expect(try await dashboard.ask("api/jobs/\(job)/cancel", method: "POST", headers: token).status == 200)
      #expect(try await site.state(of: job) == "cancelled")
      #expect(try await dashboard.ask("api/jobs/\(job)/retry", method: "POST", headers: token).status == 200)
      #expect(try await site.state(of: job) == "ready")
      #expect(
        try await dashboard.ask("api/queues/default/pause?reason=a%20test", method: "POST", headers: token).status
          == 200)
      #expect(try await site.value("SELECT pause_reason FROM tintype.queues", as: String.self) == "a test")
      #expect(try await dashboard.ask("api/queues/default/resume", method: "POST", headers: token).status == 200)
      #expect(try await dashboard.ask("api/queues/nowhere/resume", method: "POST", headers: token).status == 422)
    }
  }

  @Test func withoutActionsThereAreNone() async throws {
    try await Site.with { site in
      let job = try await site.enqueue()
      let dashboard = try await Page.serve(site)
      defer { dashboard.end() }
      let answer = try await dashboard.ask(
        "api/jobs/\(job)/cancel", method: "POST", headers: ["Authorization": "Bearer "])
      #expect(answer.status == 403)
      // A page from elsewhere that points its own name here is turned away by that name.
      for host in ["evil.example", "127.0.0.1.evil.example:80", ""] {
        #expect(try await dashboard.ask("api/jobs", headers: ["Host": host]).status != 200, "\(host)")
      }
      #expect(try await dashboard.ask("api/jobs", headers: ["Host": "localhost:80"]).status == 200)
      let page = try await dashboard.ask("")
      let policy = page.headers["content-security-policy"] ?? ""
      #expect(policy.contains("default-src 'none'") && !policy.contains("unsafe"))
    }
  }
}

/// A served dashboard.
struct Page {
  let process: ToolProcess
  let url: String

  /// - Parameter role: whose rights it reads with; the owner's when nil.
  static func serve(_ site: Site, _ arguments: String..., role: String? = nil, token: String? = nil) async throws
    -> Page
  {
    var environment = ["TINTYPE_DATABASE_URL": site.databaseURL]
    if let role { environment["PGOPTIONS"] = "-c role=\(role)" }
    if let token { environment["TINTYPE_DASHBOARD_TOKEN"] = token }
    let process = try ToolProcess(["dashboard", "--listen", "127.0.0.1:0"] + arguments, environment: environment)
    let deadline = ContinuousClock.now + .seconds(30)
    while ContinuousClock.now < deadline {
      if let match = process.errors.firstMatch(of: /is at (http:\/\/127\.0\.0\.1:\d+\/)/) {
        return Page(process: process, url: String(match.1))
      }
      guard process.isRunning else { throw Complaint("the dashboard ended: \(process.errors)") }
      try await Task.sleep(for: .milliseconds(20))
    }
    throw Complaint("the dashboard does not say where it is: \(process.errors)")
  }

  func end() { process.send(SIGKILL) }

  func ask(
    _ path: String, method: String = "GET", headers: [String: String] = [:]
  ) async throws -> (status: Int, body: String, headers: [String: String]) {
    try HTTP.ask(url + path, method: method, headers: headers)
  }
}

/// One request over a plain socket, so that every header is as the test says, `Host` too.
enum HTTP {
  static func ask(
    _ url: String, method: String = "GET", headers: [String: String] = [:]
  ) throws -> (status: Int, body: String, headers: [String: String]) {
    let parts = try #require(URLComponents(string: url))
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(UInt16(parts.port ?? 80)).bigEndian
    address.sin_addr.s_addr = unsafe inet_addr("127.0.0.1")
    let connected = unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard connected == 0 else { throw Complaint("connect: \(errno)") }
    var all = ["Host": "127.0.0.1:\(parts.port ?? 80)", "Connection": "close"]
    all.merge(headers) { _, new in new }
    let path = parts.percentEncodedPath + (parts.percentEncodedQuery.map { "?\($0)" } ?? "")
    let request =
      "\(method) \(path) HTTP/1.1\r\n" + all.map { "\($0): \($1)\r\n" }.joined() + "Content-Length: 0\r\n\r\n"
    let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: false)
    try handle.write(contentsOf: Data(request.utf8))
    let answer = String(decoding: try handle.readToEnd() ?? Data(), as: UTF8.self)
    let halves = answer.components(separatedBy: "\r\n\r\n")
    let lines = halves[0].components(separatedBy: "\r\n")
    let fields = lines.dropFirst().compactMap { line in
      line.firstIndex(of: ":").map {
        (line[..<$0].lowercased(), line[$0...].dropFirst().trimmingCharacters(in: .whitespaces))
      }
    }
    return (
      Int(lines[0].split(separator: " ").dropFirst().first ?? "") ?? 0,
      halves.dropFirst().joined(separator: "\r\n\r\n"),
      Dictionary(fields) { first, _ in first }
    )
  }
}
