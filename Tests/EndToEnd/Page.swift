import Foundation
import Glibc
import TestSupport
import Testing

/// A served dashboard.
struct Page {
  let process: ToolProcess
  let url: String

  /// - Parameter role: whose rights it reads with; the owner's when nil.
  static func serve(
    _ site: Site, _ arguments: String..., at port: Int = 0, role: String? = nil, token: String? = nil,
    key: String? = nil
  ) async throws -> Page {
    var environment = ["TINTYPE_DATABASE_URL": site.databaseURL]
    if let role { environment["PGOPTIONS"] = "-c role=\(role)" }
    if let token { environment["TINTYPE_DASHBOARD_TOKEN"] = token }
    if let key { environment["TINTYPE_DASHBOARD_KEY"] = key }
    let process = try ToolProcess(["dashboard", "--listen", "127.0.0.1:\(port)"] + arguments, environment: environment)
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

  var port: Int { URLComponents(string: url)?.port ?? 0 }

  /// - Parameter marker: what ends the reading of an answer that has no end of its own.
  func ask(
    _ path: String, method: String = "GET", headers: [String: String] = [:], until marker: String? = nil
  ) async throws -> (status: Int, body: String, headers: [String: String]) {
    try HTTP.ask(url + path, method: method, headers: headers, until: marker)
  }
}

/// One request over a plain socket, so that every header is as the test says, `Host` too.
enum HTTP {
  static func ask(
    _ url: String, method: String = "GET", headers: [String: String] = [:], until marker: String? = nil
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
    var bytes = Data()
    while true {
      let more = handle.availableData
      bytes += more
      if more.isEmpty || marker.map({ bytes.range(of: Data($0.utf8)) != nil }) == true { break }
    }
    let answer = String(decoding: bytes, as: UTF8.self)
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
