import Foundation
import Postgres
import TestSupport
import Testing

/// The page as people meet it: the real command, a real browser, a real database.
@Suite(.enabled(if: Browser.isExpected), .timeLimit(.minutes(5))) struct BrowserTests {
  @Test func aPersonFindsAJobAndItsPicture() async throws {
    try await Site.with { site in
      try site.startWorker("--max-jobs", "1")
      let job = try await site.enqueue("prompt, seed", "'a lake & <b>mountains</b>', 7")
      try await site.wait(for: job, toBe: "succeeded")
      let dashboard = try await Page.serve(site, "--output", site.output)
      defer { dashboard.end() }
      let browser = try Browser.start(width: 1280, height: 900)
      try browser.open(dashboard.url)
      try await browser.wait(for: "document.getElementById('live').textContent === 'live'")
      try await browser.wait(for: "document.querySelector('.strip img')?.complete")
      #expect(
        try browser.evaluate("[...document.querySelectorAll('main h2')].map(h => h.textContent).join()") as? String
          == "The last hour,Waiting and running,Newest pictures,Queues,Workers,Last errors")
      try browser.expectNames()

      try browser.open("\(dashboard.url)#/jobs?search=mountains")
      try await browser.wait(for: "document.querySelector('td .prompt')")
      // A prompt is text, whatever it holds.
      #expect(
        try browser.evaluate("document.querySelector('td .prompt').textContent") as? String
          == "a lake & <b>mountains</b>")
      #expect(try browser.evaluate("document.querySelectorAll('main b').length") as? Int == 0)
      try browser.expectNames()

      // By keyboard alone: from the field that searches past the button and the table, which scrolls, to the job.
      _ = try browser.evaluate("document.querySelector('input[name=search]').focus()")
      for _ in 0..<3 { try browser.press("Tab") }
      #expect(try browser.evaluate("document.activeElement.textContent") as? String == "\(job)")
      try browser.press("Enter")
      try await browser.wait(for: "document.querySelector('figure img')?.naturalWidth === 128")
      // Whoever cannot see the page is told where they are now.
      #expect(try browser.evaluate("document.activeElement.textContent") as? String == "Job \(job) succeeded")
      #expect(try browser.evaluate("document.title") as? String == "Job \(job) succeeded · Tintype")
      let text = try browser.evaluate("document.querySelector('main').innerText") as? String ?? ""
      #expect(text.contains("a lake & <b>mountains</b>") && text.contains("vae_decode") && text.contains("seed 7"))
      try browser.expectNames()

      try browser.open("\(dashboard.url)#/gallery")
      try await browser.wait(for: "document.querySelector('.tiles img')?.complete")
      try browser.expectNames()
      #expect(browser.complaints.isEmpty, "\(browser.complaints)")
    }
  }

  @Test func tenThousandJobsFitAPhoneInTheDark() async throws {
    try await Site.with { site in
      try await site.database.execute(
        "INSERT INTO tintype.jobs (prompt) SELECT 'job number ' || n FROM generate_series(1, 10000) n")
      let dashboard = try await Page.serve(site)
      defer { dashboard.end() }
      let browser = try Browser.start(width: 390, height: 844, isDark: true)
      let began = ContinuousClock.now
      try browser.open("\(dashboard.url)#/jobs")
      try await browser.wait(for: "document.querySelectorAll('tbody tr').length === 100")
      // Half a second alone on the machine; what must not happen is a list of all.
      #expect(ContinuousClock.now - began < .seconds(20))
      _ = try browser.evaluate("document.querySelector('.pages a').click()")
      try await browser.wait(for: "document.querySelector('td a')?.textContent === '9900'")
      // 7 to 9 of them have one digit more after the 77.
      try browser.open("\(dashboard.url)#/jobs?search=number+77")
      try await browser.wait(
        for:
          "document.querySelectorAll('tbody tr').length === 100 && document.querySelector('td a').textContent === '7799'"
      )
      for (page, heading) in [("#/", "Overview"), ("#/jobs", "Jobs"), ("#/job/10000", "Job 10000 ready")] {
        try browser.open(dashboard.url + page)
        try await browser.wait(for: "document.querySelector('main h1')?.textContent === '\(heading)'")
        #expect(try browser.evaluate("document.documentElement.scrollWidth <= innerWidth") as? Bool == true, "\(page)")
      }
      #expect(try browser.evaluate("getComputedStyle(document.body).backgroundColor") as? String == "rgb(23, 20, 17)")
      #expect(browser.complaints.isEmpty, "\(browser.complaints)")
    }
  }

  /// The buttons, the question, a wrong token, the right one; and none of it again for the next action.
  @Test func anActionAsksAndThenHappens() async throws {
    try await Site.with { site in
      let job = try await site.enqueue()
      let dashboard = try await Page.serve(site, "--allow-actions", token: "open-sesame")
      defer { dashboard.end() }
      let browser = try Browser.start(width: 1280, height: 900)
      try browser.open("\(dashboard.url)#/job/\(job)")
      try await browser.wait(for: "document.querySelector('[data-action]')")
      _ = try browser.evaluate("document.querySelector('[data-action]').click()")
      try browser.expectNames()
      try browser.type("wrong")
      try browser.press("Enter")
      try await browser.wait(for: "document.querySelector('dialog [role=alert]').textContent === 'the token is wrong'")
      #expect(try await site.state(of: job) == "ready")
      try browser.type("open-sesame")
      try browser.press("Enter")
      try await browser.wait(for: "document.querySelector('h1 .cancelled') && !document.querySelector('dialog')")
      #expect(try await site.state(of: job) == "cancelled")

      try browser.open("\(dashboard.url)#/")
      try await browser.wait(for: "document.querySelector('[data-action$=pause]')")
      _ = try browser.evaluate("document.querySelector('[data-action$=pause]').click()")
      try browser.type("a reason & more")
      try browser.press("Enter")
      try await browser.wait(for: "document.querySelector('td .paused')")
      #expect(try await site.value("SELECT pause_reason FROM tintype.queues", as: String.self) == "a reason & more")
      // The browser itself says what the first, wrong token was answered with; the page says nothing.
      #expect(browser.complaints.filter { !$0.contains("401") }.isEmpty, "\(browser.complaints)")
    }
  }

  /// What somebody does outlives the news that come in meanwhile.
  @Test func newsLeaveTheReaderInPeace() async throws {
    try await Site.with { site in
      let job = try await site.enqueue("prompt", "'the first'")
      let dashboard = try await Page.serve(site)
      defer { dashboard.end() }
      let browser = try Browser.start(width: 1280, height: 900)
      try browser.open("\(dashboard.url)#/jobs")
      try await browser.wait(for: "document.querySelector('td a')")
      _ = try browser.evaluate(
        "document.querySelector('td a').focus(); getSelection().selectAllChildren(document.querySelector('td .prompt'))"
      )
      let next = try await site.enqueue("prompt", "'the second'")
      try await browser.wait(for: "document.querySelector('td a').textContent === '\(next)'")
      #expect(try browser.evaluate("document.activeElement.textContent") as? String == "\(job)")
      #expect(try browser.evaluate("String(getSelection())") as? String == "the first")
      // Half a word in the field that searches.
      _ = try browser.evaluate("document.querySelector('input[name=search]').focus()")
      try browser.type("the fi")
      try await site.database.execute("SELECT tintype.cancel(\(job))")
      // Four pieces of news: the list is asked for again at every third.
      _ = try browser.evaluate(
        """
        new Promise(done => {
          const source = new EventSource('events');
          let count = 0;
          source.addEventListener('now', () => { if (++count === 4) { source.close(); done(); } });
        })
        """)
      #expect(try browser.evaluate("document.querySelector('input[name=search]').value") as? String == "the fi")
      #expect(browser.complaints.isEmpty, "\(browser.complaints)")
    }
  }

  /// Answers that take longer than the next news do not stop the page from ever being shown.
  @Test(arguments: [("#/", "Overview"), ("#/jobs", "Jobs")]) func aSlowLineStillShowsThePage(
    address: String, heading: String
  ) async throws {
    try await Site.with { site in
      _ = try await site.enqueue()
      let dashboard = try await Page.serve(site, "--output", site.output)
      defer { dashboard.end() }
      let browser = try Browser.start(width: 1280, height: 900)
      try browser.slowDown(by: .milliseconds(2500))
      try browser.open(dashboard.url + address)
      try await browser.wait(for: "document.querySelector('main h1')?.textContent === '\(heading)'", upTo: 60)
      try await browser.wait(for: "document.querySelector('main table')", upTo: 60)
      #expect(browser.complaints.isEmpty, "\(browser.complaints)")
    }
  }

  @Test func aRestartOfTheDashboardIsNoticedAndForgotten() async throws {
    try await Site.with { site in
      let first = try await Page.serve(site)
      defer { first.end() }
      let browser = try Browser.start(width: 1280, height: 900)
      try browser.open(first.url)
      try await browser.wait(for: "document.getElementById('live').textContent === 'live'")
      first.end()
      try await browser.wait(for: "document.getElementById('live').textContent.includes('lost')")
      // Chromium hesitates longer with each failure; the page's own watch does not.
      let second = try await Page.serve(site, at: first.port)
      defer { second.end() }
      _ = try await site.enqueue()
      try await browser.wait(for: "document.getElementById('live').textContent === 'live'")
      try await browser.wait(for: "document.querySelector('.figure b').textContent === '1'")
    }
  }
}
