internal import HTTPTypes
internal import Hummingbird

/// Lets in only who has opened the page by the address with the key, `/?key=…`.
///
/// The browser keeps the key in a cookie from then on, because neither a picture nor a stream of events can carry a header; the address
/// loses it, so that it is not in a screenshot or a bookmark that is passed on. Looking is all that the cookie allows: actions ask for
/// their token in a header.
struct DashboardKey: Sendable {
  let secret: Secret

  /// The answer to a request that may not pass, or that brings the key; nil for one that may pass.
  func answer(_ request: Request) -> Response? {
    // A probe learns nothing but whether somebody is there and reads.
    if request.uri.path == "/livez" || request.uri.path == "/readyz" { return nil }
    // Cookies do not know of ports: two pages on one machine would take each other's.
    let port = request.head.authority.flatMap { $0.split(separator: ":").last.flatMap { Int($0) } } ?? 80
    let cookie = "tintype-\(port)"
    if let given = request.uri.queryParameters["key"], request.uri.path == "/" {
      guard secret.matches(given) else { return refusal }
      return Response(
        status: .seeOther,
        headers: [.location: "./", .setCookie: "\(cookie)=\(given); Path=/; HttpOnly; SameSite=Lax"])
    }
    let cookies = request.headers[values: .cookie].flatMap { $0.split(separator: ";") }
    let carries = cookies.contains { pair in
      let parts = pair.drop { $0 == " " }.split(separator: "=", maxSplits: 1)
      return parts.count == 2 && parts[0] == cookie && secret.matches(parts[1])
    }
    return carries || secret.isCarried(by: request) ? nil : refusal
  }

  private var refusal: Response {
    Response(
      status: .forbidden, headers: [.contentType: "text/plain; charset=utf-8"],
      body: .init(
        byteBuffer: .init(
          string: "This page asks for its key: open it by the address that it was announced with, /?key=…\n")))
  }
}
