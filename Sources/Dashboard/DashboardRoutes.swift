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
    router.add(
      middleware: DashboardGuard(
        host: configuration.host, key: configuration.key.map { DashboardKey(secret: Secret(text: $0)) }))
    for (name, file) in PageFiles.all { router.get(RouterPath("/\(name)")) { _, _ in file.response } }
    router.get("livez") { _, _ in Self.answer("ok\n", type: "text/plain; charset=utf-8") }
    router.get("readyz") { _, _ in
      let sight = try await look { try await store.sight() }
      guard sight.migrated else {
        throw HTTPError(.serviceUnavailable, message: "the database has no Tintype schema, or this user may not see it")
      }
      return Self.answer("ok\n", type: "text/plain; charset=utf-8")
    }
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
      let filter = DashboardStore.Filter(
        state: Self.given("state", request), queue: Self.given("queue", request),
        search: Self.given("search", request), before: Self.given("before", request).flatMap { Int64($0) })
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
      return Self.json(
        try await look {
          try await store.gallery(
            before: Self.given("before", request), search: Self.given("search", request),
            limit: Self.given("limit", request).flatMap { Int($0) } ?? 60)
        })
    }
    router.get("pictures/:job/:index") { request, context in
      try await picture(
        job: context.parameters.require("job", as: Int64.self),
        index: context.parameters.require("index", as: Int64.self), request)
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
      try await perform(.pause(Self.name(context), reason: Self.given("reason", request)), request)
    }
    router.post("api/queues/:name/resume") { request, context in
      try await perform(.resume(Self.name(context)), request)
    }
  }

  /// A parameter of the address; an empty one is none. Read from the address as it was sent: a form writes a space as `+`, and
  /// after decoding it could not be told from a plus.
  private static func given(_ name: String, _ request: Request) -> String? {
    for pair in (request.uri.query ?? "").split(separator: "&") where pair.hasPrefix("\(name)=") {
      let value = pair.dropFirst(name.count + 1).replacing("+", with: " ").removingPercentEncoding
      if let value, !value.isEmpty { return value }
    }
    return nil
  }

  private static func name(_ context: BasicRequestContext) throws -> String {
    let name = try context.parameters.require("name")
    return name.removingPercentEncoding ?? name
  }

  /// Only with the token.
  private func perform(_ action: DashboardStore.Action, _ request: Request) async throws -> Response {
    guard let token = configuration.token else {
      throw HTTPError(.forbidden, message: "this dashboard only looks: it was started without --allow-actions")
    }
    guard Secret(text: token).isCarried(by: request) else {
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

  /// The address may name the beginning of the SHA-256 (`v`): such a picture never changes, since a retry's has another address.
  private func picture(job: Int64, index: Int64, _ request: Request) async throws -> Response {
    guard let root = configuration.pictures, try await look({ try await store.sight().jobs }),
      let (path, sha256) = try await look({ try await store.picture(job: job, index: index) })
    else { throw HTTPError(.notFound, message: "there is no such picture here") }
    let isFixed = Self.given("v", request).map { $0.count >= 12 && sha256.hasPrefix($0) } ?? false
    let headers: HTTPFields = [
      .contentType: "image/png", .eTag: "\"\(sha256)\"",
      .cacheControl: isFixed ? "private, max-age=31536000, immutable" : "private, no-cache",
    ]
    if request.headers[.ifNoneMatch] == headers[.eTag] { return Response(status: .notModified, headers: headers) }
    guard let bytes = PictureFile.read(path, below: root) else {
      throw HTTPError(.notFound, message: "there is no such picture here")
    }
    return Response(status: .ok, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
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

  private static func json(_ text: String) -> Response { answer(text, type: "application/json") }

  private static func answer(_ text: String, type: String) -> Response {
    Response(
      status: .ok, headers: [.contentType: type, .cacheControl: "no-store"],
      body: .init(byteBuffer: ByteBuffer(string: text)))
  }
}
