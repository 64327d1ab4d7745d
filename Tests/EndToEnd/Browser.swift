import Foundation
import Glibc
import TestSupport
import Testing

/// A headless Chromium, asked over its debugging pipe: JSON messages that end with a zero byte, in on descriptor 3, out on 4.
final class Browser {
  /// Where Debian and others put it; nil when there is none.
  static let program = ["chromium", "chromium-browser", "google-chrome"].lazy
    .flatMap { name in ["/usr/bin/\(name)", "/usr/local/bin/\(name)"] }
    .first { FileManager.default.isExecutableFile(atPath: $0) }

  /// Whether tests with a browser run: where there is one, and in continuous integration, where there must be.
  static let isExpected = program != nil || ProcessInfo.processInfo.environment["CI"] != nil

  private let folder: TemporaryFolder
  private let process = Process()
  private let input: FileHandle, output: FileHandle
  private var received = Data()
  private var next = 0
  private var session: String?
  /// What the page complained of: exceptions, console messages, refused resources.
  private(set) var complaints: [String] = []

  /// - Parameter isDark: whether the page is told that its reader likes dark pages.
  init(program: String, width: Int, height: Int, isDark: Bool = false) throws {
    folder = try TemporaryFolder()
    for name in ["in", "out"] {
      guard unsafe mkfifo(folder.path(name), 0o600) == 0 else { throw Complaint("mkfifo: \(errno)") }
    }
    process.executableURL = URL(filePath: "/bin/bash")
    // Opened for both ways, so that neither side waits for the other to open.
    let command =
      "exec 3<>'\(folder.path("in"))' 4<>'\(folder.path("out"))'; exec \(program) --headless --no-sandbox --disable-gpu"
      + " --disable-dev-shm-usage --remote-debugging-pipe --user-data-dir='\(folder.path("profile"))' about:blank >/dev/null 2>&1"
    process.arguments = ["-c", command]
    input = try FileHandle(forUpdating: URL(filePath: folder.path("in")))
    output = try FileHandle(forUpdating: URL(filePath: folder.path("out")))
    try ProcessLaunch.exclusively { try process.run() }
    let target = try call("Target.createTarget", ["url": "about:blank"])["targetId"] as? String ?? ""
    session = try call("Target.attachToTarget", ["targetId": target, "flatten": true])["sessionId"] as? String
    for domain in ["Page.enable", "Runtime.enable", "Log.enable", "Network.enable", "Accessibility.enable"] {
      _ = try call(domain)
    }
    _ = try call(
      "Emulation.setDeviceMetricsOverride",
      ["width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600])
    let scheme = ["name": "prefers-color-scheme", "value": isDark ? "dark" : "light"]
    _ = try call("Emulation.setEmulatedMedia", ["features": [scheme]])
  }

  /// The browser of this machine.
  static func start(width: Int, height: Int, isDark: Bool = false) throws -> Browser {
    let program = try #require(program, "no Chromium: apt-get install chromium")
    return try Browser(program: program, width: width, height: height, isDark: isDark)
  }

  deinit {
    process.terminate()
    process.waitUntilExit()
  }

  func open(_ url: String) throws { _ = try call("Page.navigate", ["url": url]) }

  /// The value of an expression in the page, a promise's value included.
  func evaluate(_ expression: String) throws -> Any? {
    let result = try call(
      "Runtime.evaluate", ["expression": expression, "returnByValue": true, "awaitPromise": true])
    if let exception = result["exceptionDetails"] { throw Complaint("\(expression): \(exception)") }
    return (result["result"] as? [String: Any])?["value"]
  }

  /// Waits until an expression is true, which it is not while it asks for what is not there yet. Polls: what it waits for is any change
  /// of the page.
  func wait(for expression: String, upTo seconds: Double = 30) async throws {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while try evaluate("(() => { try { return Boolean(\(expression)) } catch { return false } })()") as? Bool != true {
      guard ContinuousClock.now < deadline else {
        throw Complaint(
          "not within \(seconds) s: \(expression)\n\(try evaluate("document.body.innerText") ?? "")\n\(complaints)")
      }
      try await Task.sleep(for: .milliseconds(50))
    }
  }

  /// Types a text where the focus is.
  func type(_ text: String) throws { _ = try call("Input.insertText", ["text": text]) }

  /// Makes every answer take so long.
  func slowDown(by latency: Duration) throws {
    _ = try call(
      "Network.emulateNetworkConditions",
      [
        "offline": false, "latency": latency / .milliseconds(1), "downloadThroughput": -1, "uploadThroughput": -1,
      ])
  }

  /// Everything that one can operate or must have described has a name, as a screen reader would say it.
  func expectNames(sourceLocation: SourceLocation = #_sourceLocation) throws {
    let roles: Set = [
      "button", "link", "textbox", "searchbox", "combobox", "image", "img", "progressbar", "table", "dialog", "region",
    ]
    let nodes = try call("Accessibility.getFullAXTree")["nodes"] as? [[String: Any]] ?? []
    let named = nodes.filter { $0["ignored"] as? Bool != true }.compactMap { node -> (role: String, name: String)? in
      guard let role = (node["role"] as? [String: Any])?["value"] as? String, roles.contains(role) else { return nil }
      return (role, (node["name"] as? [String: Any])?["value"] as? String ?? "")
    }
    #expect(named.count >= 4, "the tree is read wrongly: \(nodes.count) nodes", sourceLocation: sourceLocation)
    #expect(named.filter { $0.name.isEmpty }.map(\.role) == [], "without a name", sourceLocation: sourceLocation)
  }

  /// A PNG of what is in the window.
  func screenshot() throws -> Data {
    Data(base64Encoded: try call("Page.captureScreenshot")["data"] as? String ?? "") ?? Data()
  }

  /// Presses and releases a key.
  func press(_ key: String) throws {
    for type in ["keyDown", "keyUp"] {
      _ = try call(
        "Input.dispatchKeyEvent",
        [
          "type": type, "key": key, "code": key, "windowsVirtualKeyCode": key == "Tab" ? 9 : 13,
          "text": key == "Enter" ? "\r" : "",
        ])
    }
  }

  private func call(_ method: String, _ parameters: [String: Any] = [:]) throws -> [String: Any] {
    next += 1
    var message: [String: Any] = ["id": next, "method": method, "params": parameters]
    if let session { message["sessionId"] = session }
    try input.write(contentsOf: try JSONSerialization.data(withJSONObject: message) + Data([0]))
    while true {
      let answer = try receive()
      note(answer)
      guard answer["id"] as? Int == next else { continue }
      if let error = answer["error"] { throw Complaint("\(method): \(error)") }
      return answer["result"] as? [String: Any] ?? [:]
    }
  }

  private func receive() throws -> [String: Any] {
    while true {
      if let end = received.firstIndex(of: 0) {
        let message = received[received.startIndex..<end]
        received = Data(received[received.index(after: end)...])
        return try JSONSerialization.jsonObject(with: Data(message)) as? [String: Any] ?? [:]
      }
      var waiting = pollfd(fd: output.fileDescriptor, events: Int16(POLLIN), revents: 0)
      guard unsafe poll(&waiting, 1, 60_000) > 0 else { throw Complaint("the browser says nothing") }
      received += output.availableData
    }
  }

  private func note(_ message: [String: Any]) {
    let parameters = message["params"] as? [String: Any] ?? [:]
    switch message["method"] as? String {
    case "Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded": complaints.append("\(parameters)")
    default: break
    }
  }
}
