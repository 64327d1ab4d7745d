internal import HTTPTypes
internal import Hummingbird
internal import NIOCore

/// The page: one document, its style, its script in modules, all in the program.
enum PageFiles {
  /// By address.
  static let all: [String: File] = [
    "": File(PackageResources.index_html, "text/html"), "style.css": File(PackageResources.style_css, "text/css"),
    "main.js": script(PackageResources.main_js), "elements.js": script(PackageResources.elements_js),
    "format.js": script(PackageResources.format_js), "server.js": script(PackageResources.server_js),
    "actions.js": script(PackageResources.actions_js), "overview.js": script(PackageResources.overview_js),
    "chart.js": script(PackageResources.chart_js), "jobs.js": script(PackageResources.jobs_js),
    "job.js": script(PackageResources.job_js), "gallery.js": script(PackageResources.gallery_js),
  ]

  /// A file and its kind.
  struct File: Sendable {
    let bytes: [UInt8]
    let type: String

    init(_ bytes: [UInt8], _ type: String) {
      self.bytes = bytes
      self.type = type
    }

    /// Nothing from elsewhere, nothing written into the document, nothing that submits: whatever a prompt holds, it stays text.
    private static let policy =
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
      + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

    var response: Response {
      Response(
        status: .ok,
        headers: [
          .contentType: "\(type); charset=utf-8", .contentSecurityPolicy: Self.policy,
          // Another version of the program has other files under the same addresses.
          .cacheControl: "no-cache",
        ], body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
    }
  }

  private static func script(_ bytes: [UInt8]) -> File { File(bytes, "text/javascript") }
}
