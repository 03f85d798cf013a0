import Serve

/// The files of the pages of all scans, which are part of the program.
enum ScansPage {
  static let style = PackageResources.scans_css
  static let script = PackageResources.scans_js
  static let description = PackageResources.openapi_json
  private static let listTemplate = String(decoding: PackageResources.scans_html, as: UTF8.self)
  private static let scanTemplate = String(decoding: PackageResources.scan_html, as: UTF8.self)

  /// The list of all scans. With `token`, whoever gets it may change the queue.
  static func list(token: Token?) -> [UInt8] {
    Array(listTemplate.replacing("{{token}}", with: Text.html(token?.text ?? "")).utf8)
  }

  /// The page of a scan.
  static func scan(_ record: ScanRecord, token: Token?) -> [UInt8] {
    let page = scanTemplate.replacing("{{token}}", with: Text.html(token?.text ?? ""))
      .replacing("{{number}}", with: "\(record.number)")
    // What a sample is called may look like anything: it comes last.
    return Array(page.replacing("{{sample}}", with: Text.html(record.sample ?? record.source)).utf8)
  }
}
