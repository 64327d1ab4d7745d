internal import HTTPTypes
internal import Hummingbird

/// What every request must pass, and what every answer carries.
struct DashboardGuard<Context: RequestContext>: RouterMiddleware {
  let host: String
  let key: DashboardKey?

  func handle(
    _ request: Request, context: Context, next: (Request, Context) async throws -> Response
  ) async throws -> Response {
    // A page elsewhere may point its own name at 127.0.0.1 and read what is here as its own: the name gives it away.
    guard isExpected(request.head.authority) else {
      return Response(
        status: .misdirectedRequest, body: .init(byteBuffer: .init(string: "ask by a name of this machine\n")))
    }
    var response: Response
    do {
      if let answer = key?.answer(request) {
        response = answer
      } else {
        response = try await next(request, context)
      }
    } catch let error as HTTPError {
      response = try error.response(from: request, context: context)
    }
    let always = ["X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY"]
    for (name, value) in always {
      if let name = HTTPField.Name(name) { response.headers[name] = value }
    }
    if response.headers[.cacheControl] == nil { response.headers[.cacheControl] = "no-store" }
    return response
  }

  /// On loopback, a loopback name; a page that is meant for others does not know by what names they reach it.
  private func isExpected(_ authority: String?) -> Bool {
    guard DashboardHost.isLoopback(host) else { return true }
    guard let authority else { return false }
    return DashboardHost.isLoopback(DashboardHost.name(of: authority))
  }
}

/// Names of this machine.
enum DashboardHost {
  /// A name that only this machine answers to. `127.0.0.1.example` is a name like any other.
  static func isLoopback(_ host: String) -> Bool {
    host == "localhost" || host == "::1"
      || (host.hasPrefix("127.") && host.allSatisfy { $0 == "." || ("0"..."9").contains($0) })
  }

  /// `[::1]:8080` → `::1`.
  static func name(of authority: String) -> String {
    if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") {
      return String(authority[authority.index(after: authority.startIndex)..<end])
    }
    return String(authority.prefix { $0 != ":" })
  }
}

/// A word that only those know who may do something.
struct Secret: Sendable {
  let text: String

  /// Compares all of it whatever differs first, so that time tells nothing.
  func matches(_ given: some StringProtocol) -> Bool {
    let given = Array(given.utf8)
    let wanted = Array(text.utf8)
    var difference = given.count ^ wanted.count
    for (index, byte) in wanted.enumerated() { difference |= Int(byte ^ (index < given.count ? given[index] : 0)) }
    return difference == 0
  }

  /// Whether a request carries it in a header, which a page from elsewhere cannot make a browser send: a cookie would go along by itself.
  func isCarried(by request: Request) -> Bool {
    guard let header = request.headers[.authorization], header.hasPrefix("Bearer ") else { return false }
    return matches(header.dropFirst("Bearer ".count))
  }
}
