import Foundation
import Postgres
import TestSupport
import Testing

/// What the dashboard answers, asked over a socket: the real command, a real database.
@Suite struct DashboardTests {
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

  @Test func withAKeyOnlyWhoBringsItComesIn() async throws {
    try await Site.with { site in
      let job = try await site.enqueue()
      let dashboard = try await Page.serve(site, "--allow-actions", token: "open-sesame", key: "a-key")
      defer { dashboard.end() }
      for path in ["", "main.js", "api/jobs", "events", "pictures/1/0", "?key=a-kez", "?key=", "api/jobs?key=a-key"] {
        #expect(try await dashboard.ask(path).status == 403, "\(path)")
      }
      let entrance = try await dashboard.ask("?key=a-key")
      #expect(entrance.status == 303 && entrance.headers["location"] == "./")
      let cookie = try #require(entrance.headers["set-cookie"])
      #expect(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"))
      let ticket = ["Cookie": "other=1; " + cookie.prefix { $0 != ";" }]
      #expect(try await dashboard.ask("api/jobs", headers: ticket).status == 200)
      // The cookie goes along with any request that a page elsewhere makes a browser send: it opens no action.
      #expect(try await dashboard.ask("api/jobs/\(job)/cancel", method: "POST", headers: ticket).status == 401)
      #expect(try await site.state(of: job) == "ready")
      // Another page on another port has another cookie.
      let elsewhere = ["Cookie": ticket["Cookie"]!.replacing("tintype-\(dashboard.port)", with: "tintype-1")]
      #expect(try await dashboard.ask("api/jobs", headers: elsewhere).status == 403)
      for path in ["livez", "readyz"] { #expect(try await dashboard.ask(path).status == 200, "\(path)") }
    }
  }

  @Test(arguments: [
    ("search=two+words", ["a job of two words"]), ("search=1%2B1", ["1+1"]), ("search=100%25", ["100% wool"]),
    ("search=%D0%BC%D0%BE%D1%80%D0%B5", ["море"]), ("search=NOTHING", []), ("search=4", ["море"]),
    ("queue=a%2Eb-c", ["1+1"]), ("state=cancelled", ["100% wool"]),
    ("search=model_unavailable", ["a job of two words"]),
    ("search=&state=&queue=", ["море", "100% wool", "1+1", "a job of two words"]),
  ]) func aSearchFindsWhatWasTyped(query: String, prompts: [String]) async throws {
    try await Site.with { site in
      try await site.database.execute(
        """
        INSERT INTO tintype.queues (name) VALUES ('a.b-c');
        INSERT INTO tintype.jobs (prompt, queue) VALUES ('a job of two words', 'default'), ('1+1', 'a.b-c'), ('100% wool', 'default'),
          ('море', 'default');
        SELECT tintype.cancel(3);
        UPDATE tintype.jobs SET error_code = 'model_unavailable' WHERE id = 1;
        """)
      let dashboard = try await Page.serve(site)
      defer { dashboard.end() }
      let (status, body, _) = try await dashboard.ask("api/jobs?\(query)")
      let found = try JSONSerialization.jsonObject(with: Data(body.utf8)) as? [[String: Any]] ?? []
      #expect(status == 200 && found.map { $0["prompt"] as? String ?? "" } == prompts, "\(body)")
    }
  }

  @Test func aDatabaseThatIsAwayIsSaidAndComesBack() async throws {
    try await Site.withServer { site, cluster in
      let dashboard = try await Page.serve(site)
      defer { dashboard.end() }
      #expect(try await dashboard.ask("readyz").status == 200)
      #expect(try await dashboard.ask("events", until: "event: now").body.contains("\"queues\""))
      try await cluster.stop()
      // The program lives, and says what it lacks; a restart of it would not help.
      #expect(try await dashboard.ask("livez").status == 200)
      for path in ["readyz", "api/sight", "api/jobs"] {
        let answer = try await dashboard.ask(path)
        #expect(answer.status == 503 && answer.body.contains("the database does not answer"), "\(path): \(answer)")
      }
      #expect(try await dashboard.ask("events", until: "event: trouble").body.contains("does not answer"))
      try await cluster.startAgain()
      let deadline = ContinuousClock.now + .seconds(30)
      while try await dashboard.ask("readyz").status != 200, ContinuousClock.now < deadline {}
      #expect(try await dashboard.ask("events", until: "event: now").body.contains("\"queues\""))
      #expect(try await dashboard.ask("api/jobs").status == 200)
    }
  }

  @Test func theGalleryGoesOnInTheMiddleOfAJob() async throws {
    try await Site.with { site in
      try site.startWorker("--max-jobs", "2")
      let first = try await site.enqueue("prompt, image_count", "'a lake', 2")
      let second = try await site.enqueue("prompt, image_count", "'a hill', 3")
      try await site.wait(for: second, toBe: "succeeded")
      try await site.wait(for: first, toBe: "succeeded")
      let dashboard = try await Page.serve(site, "--output", site.output)
      defer { dashboard.end() }
      var seen: [String] = []
      var before = ""
      for _ in 0..<3 {
        let body = try await dashboard.ask("api/gallery?limit=2\(before)").body
        let page = try JSONSerialization.jsonObject(with: Data(body.utf8)) as? [[String: Any]] ?? []
        seen += page.map { "\($0["job_id"]!).\($0["index"]!)" }
        before = "&before=\(seen.last ?? "")"
      }
      #expect(seen == ["\(second).0", "\(second).1", "\(second).2", "\(first).0", "\(first).1"])
      let found = try await dashboard.ask("api/gallery?search=LAKE").body
      #expect(found.contains("a lake") && !found.contains("a hill"), "\(found)")

      // A picture's address with its sum never shows another; without it the browser asks each time, and is told if nothing is new.
      let sum = try await site.value(
        "SELECT encode(sha256, 'hex') FROM tintype.images WHERE job_id = \(first) AND index = 0", as: String.self)
      let fixed = try await dashboard.ask("pictures/\(first)/0?v=\(sum.prefix(12))")
      #expect(fixed.status == 200 && fixed.headers["cache-control"]?.contains("immutable") == true)
      for version in ["", "?v=", "?v=000000000000"] {
        let loose = try await dashboard.ask("pictures/\(first)/0\(version)")
        #expect(loose.status == 200 && loose.headers["cache-control"] == "private, no-cache", "\(version)")
        #expect(loose.headers["etag"] == "\"\(sum)\"")
      }
      let known = try await dashboard.ask("pictures/\(first)/0", headers: ["If-None-Match": "\"\(sum)\""])
      #expect(known.status == 304 && known.body.isEmpty)
    }
  }
}
