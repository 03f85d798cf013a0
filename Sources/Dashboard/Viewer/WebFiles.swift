/// What a page is made of, apart from its figures: part of the program.
enum WebFiles {
  private static let files: [String: (type: String, bytes: [UInt8])] = [
    "page.css": (css, PackageResources.page_css), "page.js": (script, PackageResources.page_js),
    "viewer": (html, PackageResources.viewer_html), "viewer.css": (css, PackageResources.viewer_css),
    "viewer.js": (script, PackageResources.viewer_js), "viewer-pane.js": (script, PackageResources.viewer_pane_js),
    "viewer-tiles.js": (script, PackageResources.viewer_tiles_js),
    "viewer-histogram.js": (script, PackageResources.viewer_histogram_js),
    "viewer-volume.js": (script, PackageResources.viewer_volume_js),
    "viewer-shaders.js": (script, PackageResources.viewer_shaders_js),
    "images.js": (script, PackageResources.images_js), "images.css": (css, PackageResources.images_css),
    "viewer-save.js": (script, PackageResources.viewer_save_js),
  ]
  private static let (html, css) = ("text/html; charset=utf-8", "text/css; charset=utf-8")
  private static let script = "text/javascript; charset=utf-8"

  /// The file of this name; nil where there is none.
  static func response(for name: Substring) -> Response? {
    files[String(name)].map { .init(type: $0.type, $0.bytes, headers: [("Cache-Control", "no-cache")]) }
  }
}
