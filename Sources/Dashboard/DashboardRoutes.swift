internal import Foundation
internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import NIOCore
internal import Postgres

/// Which address answers what.
struct DashboardRoutes: Sendable {
  let configuration: Dashboard.Configuration
  let store: DashboardStore
  let feed: DashboardFeed
  let logger: Logger

  func router() -> Router<BasicRequestContext> {
    let router = Router()
    router.add(middleware: DashboardGuard(host: configuration.host))
    router.get("/") { _, _ in Self.page() }
    router.get("livez") { _, _ in Self.answer("ok\n", type: "text/plain; charset=utf-8") }
    router.get("events") { _, _ in events() }
    router.get("api/sight") { _, _ in
      let sight = try await look { try await store.sight() }
      return Self.json(
        """
        {"jobs":\(sight.jobs),"migrated":\(sight.migrated),"pictures":\(sight.jobs && configuration.pictures != nil),\
        "actions":\(configuration.token != nil)}
        """)
    }
    router.get("api/jobs") { request, _ in
      let query = request.uri.queryParameters
      let given = { (name: Substring) in
        query[name].flatMap { $0.removingPercentEncoding }.flatMap { $0.isEmpty ? nil : String($0) }
      }
      let filter = DashboardStore.Filter(
        state: given("state"), queue: given("queue"), search: given("search"),
        before: given("before").flatMap { Int64($0) })
      return Self.json(try await look { try await store.jobs(filter, sight: store.sight()) })
    }
    router.get("api/jobs/:id") { _, context in
      let id = try context.parameters.require("id", as: Int64.self)
      guard let job = try await look({ try await store.job(id, sight: store.sight()) }) else {
        throw HTTPError(.notFound, message: "there is no job \(id)")
      }
      return Self.json(job)
    }
    router.get("api/gallery") { request, _ in
      guard configuration.pictures != nil, try await look({ try await store.sight().jobs }) else {
        return Self.json("[]")
      }
      let before = request.uri.queryParameters["before"].flatMap { Int64($0) }
      return Self.json(try await look { try await store.gallery(before: before) })
    }
    router.get("pictures/:job/:index") { _, context in
      try await picture(
        job: context.parameters.require("job", as: Int64.self),
        index: context.parameters.require("index", as: Int64.self))
    }
    addActions(to: router)
    return router
  }

  private func addActions(to router: Router<BasicRequestContext>) {
    router.post("api/jobs/:id/cancel") { request, context in
      try await perform(.cancel(context.parameters.require("id", as: Int64.self)), request)
    }
    router.post("api/jobs/:id/retry") { request, context in
      try await perform(.retry(context.parameters.require("id", as: Int64.self)), request)
    }
    router.post("api/queues/:name/pause") { request, context in
      let reason = request.uri.queryParameters["reason"].flatMap { $0.removingPercentEncoding }
      return try await perform(.pause(Self.name(context), reason: reason), request)
    }
    router.post("api/queues/:name/resume") { request, context in
      try await perform(.resume(Self.name(context)), request)
    }
  }

  private static func name(_ context: BasicRequestContext) throws -> String {
    let name = try context.parameters.require("name")
    return name.removingPercentEncoding ?? name
  }

  /// Only with the token, in a header that a page from elsewhere cannot send: a cookie would go along with any request.
  private func perform(_ action: DashboardStore.Action, _ request: Request) async throws -> Response {
    guard let token = configuration.token else {
      throw HTTPError(.forbidden, message: "this dashboard only looks: it was started without --allow-actions")
    }
    guard ActionToken(token: token).matches(request.headers[.authorization]) else {
      throw HTTPError(.unauthorized, message: "the token is wrong")
    }
    do {
      try await store.perform(action)
    } catch let error as PostgresError where !error.isConnectionFailure {
      throw HTTPError(.unprocessableContent, message: error.message)
    }
    logger.info("action", metadata: ["action": "\(action)"])
    return Self.json("{}")
  }

  /// A database that is away is no fault of the page.
  private func look<R>(_ body: () async throws -> R) async throws -> R {
    do {
      return try await body()
    } catch let error as PostgresError {
      logger.warning("the dashboard cannot read", metadata: ["error": "\(error)"])
      throw HTTPError(.serviceUnavailable, message: "the database does not answer: \(error.message)")
    }
  }

  private func picture(job: Int64, index: Int64) async throws -> Response {
    guard let root = configuration.pictures, try await look({ try await store.sight().jobs }),
      let path = try await look({ try await store.picture(job: job, index: index) }),
      let bytes = PictureFile.read(path, below: root)
    else { throw HTTPError(.notFound, message: "there is no such picture here") }
    // A retry makes another picture under the same address.
    return Response(
      status: .ok, headers: [.contentType: "image/png", .cacheControl: "private, max-age=60"],
      body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
  }

  /// Server-sent events: a line with the name, one with the data, an empty one.
  private func events() -> Response {
    let events = feed.events()
    return Response(
      status: .ok, headers: [.contentType: "text/event-stream; charset=utf-8", .cacheControl: "no-store"],
      body: .init { writer in
        try await writer.write(ByteBuffer(string: "retry: 2000\n\n"))
        for await event in events {
          let data = event.data.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\ndata: ")
          try await writer.write(ByteBuffer(string: "event: \(event.name)\ndata: \(data)\n\n"))
        }
        try await writer.finish(nil)
      })
  }

  /// The page is one file; its script and style run because they carry this answer's number, and nothing else does.
  private static func page() -> Response {
    let nonce =
      String(UInt64.random(in: .min ... .max), radix: 36) + String(UInt64.random(in: .min ... .max), radix: 36)
    let policy =
      "default-src 'none'; script-src 'nonce-\(nonce)'; style-src 'nonce-\(nonce)'; img-src 'self' data:; connect-src 'self'; "
      + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    let html = String(decoding: PackageResources.index_html, as: UTF8.self).replacing("{{nonce}}", with: nonce)
    var response = answer(html, type: "text/html; charset=utf-8")
    response.headers[.contentSecurityPolicy] = policy
    return response
  }

  private static func json(_ text: String) -> Response { answer(text, type: "application/json") }

  private static func answer(_ text: String, type: String) -> Response {
    Response(
      status: .ok, headers: [.contentType: type, .cacheControl: "no-store"],
      body: .init(byteBuffer: ByteBuffer(string: text)))
  }
}
