package import Detectors
import Host
package import ScanPlan
import Yams

/// What a server is to do: the content of `serve.yaml`.
///
/// ```
/// folder: /data/slipring                # everything that it makes
/// output: "{date}/{sample}_{number}"    # where a volume comes, in scans/ of it
/// runs: 1                               # reconstructions at a time
/// free-at-least: 50                     # GiB: run folders of finished scans go before less is free
/// epics: BL10:Slipring                  # process variables of its runs, BL10:Slipring:camera:State and so on
/// keep: 30d                             # run folders of finished scans go after so many days
/// keep-volumes: 90d                     # volumes go after so many days,
/// volumes-at-most: 2T                   # and the oldest ones where all take more
/// keep-failed: 30d                      # what failed and removed scans acquired goes after so many days
/// address: 127.0.0.1:8080               # the page and the API of all scans
/// on-change: [/usr/local/bin/tell]      # a program that is told of each change of a scan
/// hook: http://localhost:9000/scans     # an address that is told of it
/// sources:
///   camera:
///     address: zmq+pull://127.0.0.1:9999
///     scan: camera.yaml                 # a scan file, without what the detector says
///     silence: 10                       # seconds after which a scan has ended
///   files:
///     address: drop:/data/incoming      # a folder: scan files that are put there
/// ```
package struct ServeFile: Sendable {
  /// Where scans come from.
  package struct Source: Sendable {
    /// Where its scans are.
    enum Address: Sendable {
      /// A detector that sends.
      case detector(DetectorAddress)
      /// A folder into which people put scan files.
      case drop(String)
    }

    /// As it is named.
    package let name: String
    let address: Address
    /// Path of the scan file that says how its scans are reconstructed; nil for all defaults.
    let scanFile: String?
    /// Seconds after which a scan of which nothing comes has ended.
    let silence: Double
  }

  /// Where the page and the API of all scans are, and who may do what there.
  package struct PageSettings: Sendable {
    /// ADDRESS:PORT, as it was written, and the line in which.
    package fileprivate(set) var address = ""
    package fileprivate(set) var line = 0
    /// The name under which a reverse proxy on this machine serves it.
    package fileprivate(set) var name: String?
    /// The file with the token; by default `token` in the server's folder.
    package fileprivate(set) var tokenFile: String?
    /// Files of a certificate and of its key, in PEM; nil for plain HTTP.
    package fileprivate(set) var certificate: (path: String, key: String)?
    /// Folders whose files may be added; besides those of the sources.
    fileprivate(set) var folders: [String] = []
  }

  /// As it was named.
  package let path: String
  private let file: KeyedFile
  /// Absolute path of the server's folder.
  package private(set) var folder = ""
  /// Pattern of the folder of a volume.
  private(set) var output = "{date}/{sample}_{number}"
  /// Reconstructions at a time.
  private(set) var runs = 1
  /// What its scans may take of the disk.
  private(set) var disk = DiskLimits()
  /// What the names of process variables of its runs begin with; nil for none.
  package private(set) var epics: VariablePrefix?
  /// Where its page and API are; nil for none.
  package private(set) var page: PageSettings?
  /// Who is told of changes; nil for nobody.
  private(set) var program: [String]?
  private(set) var hook: StopHook?
  /// Where scans come from, in the order of their names.
  package private(set) var sources: [Source] = []

  static let (runsMax, sourcesMax, silenceRange) = (16, 32, 0.5...86_400.0)

  /// Reads and checks it, with the scan files that it names; relative paths are from its own folder.
  /// - Throws: `.noInput` where it cannot be read, `.configuration` with the line of the first mistake.
  package init(path: String) throws(ScanFailure) {
    self.path = path
    let bytes = try ScanFile.read(path, as: "the file")
    file = KeyedFile(path: path)
    var page = PageSettings()
    for (key, value) in try file.entries(bytes, needs: "folder: and sources:") { try read(key, value, &page) }
    if page.line > 0 { self.page = page }
    guard page.certificate.map({ !$0.path.isEmpty && !$0.key.isEmpty }) ?? true else {
      throw ScanFailure(.configuration, "\(path): tls-certificate and tls-key are both needed, or neither")
    }
    guard !folder.isEmpty else { throw ScanFailure(.configuration, "\(path): folder is missing") }
    guard !sources.isEmpty else { throw ScanFailure(.configuration, "\(path): sources is missing, or empty") }
    for source in sources { try checkTemplate(of: source) }
  }

  private mutating func read(_ key: Node, _ value: Node, _ page: inout PageSettings) throws(ScanFailure) {
    guard let known = key.string.flatMap(ServeKey.init) else { return try readLimit(key, value) }
    switch known {
    case .address: (page.address, page.line) = (try file.word(key, value), key.mark?.line ?? 1)
    case .name:
      page.name = try file.word(key, value)
      guard page.name?.wholeMatch(of: /[A-Za-z0-9.-]{1,253}/) != nil else {
        throw file.mistake(key, "name is that of a machine, as a reverse proxy serves it: slipring.lab.org")
      }
    case .tokenFile: page.tokenFile = resolved(try file.word(key, value))
    case .tlsCertificate: page.certificate = (resolved(try file.word(key, value)), page.certificate?.key ?? "")
    case .tlsKey: page.certificate = (page.certificate?.path ?? "", resolved(try file.word(key, value)))
    case .filesFrom: page.folders = try file.words(key, value).map(resolved)
    case .onChange:
      program = try file.words(key, value)
      guard program?.first?.hasPrefix("/") == true else {
        throw file.mistake(
          key, "on-change is a program by its whole path, and what it is given: [/usr/local/bin/tell, night]")
      }
    case .hook:
      let text = try file.word(key, value)
      do throws(StreamError) { hook = try StopHook(text) } catch { throw file.mistake(key, "hook: \(error)") }
    case .folder: folder = resolved(try file.word(key, value))
    case .output:
      output = try file.word(key, value)
      if let problem = OutputPattern(output).problem { throw file.mistake(key, "output \(problem)") }
    case .runs:
      guard let count = Int(written: try file.word(key, value)), (1...Self.runsMax).contains(count) else {
        throw file.mistake(key, "runs is a whole number from 1 to \(Self.runsMax)")
      }
      runs = count
    case .epics: epics = try prefix(key, value)
    case .sources:
      guard case .mapping(let mapping) = value, mapping.count <= Self.sourcesMax else {
        throw file.mistake(key, "sources has one to \(Self.sourcesMax) names, each with an address")
      }
      for (name, value) in mapping { sources.append(try source(name, value)) }
      sources.sort { $0.name < $1.name }
    }
  }

  private mutating func readLimit(_ key: Node, _ value: Node) throws(ScanFailure) {
    guard let limit = key.string.flatMap(DiskLimits.LimitKey.init) else {
      let known = ServeKey.allCases.map(\.rawValue) + DiskLimits.LimitKey.allCases.map(\.rawValue)
      throw file.mistake(key, "there is no key \(key.string ?? "?"); known are \(known.joined(separator: ", "))")
    }
    if let problem = disk.read(limit, try file.word(key, value)) { throw file.mistake(key, problem) }
  }

  private func prefix(_ key: Node, _ value: Node) throws(ScanFailure) -> VariablePrefix {
    let text = try file.word(key, value)
    do throws(StreamError) {
      let prefix = try VariablePrefix(text)
      try DetectorAddress(PVAccessAddress.scheme + text).checkMeans()
      return prefix
    } catch { throw file.mistake(key, "epics: \(error)") }
  }

  /// What the process variables of a source's runs begin with; nil for none.
  func epics(of source: String) -> VariablePrefix? { epics.map { $0.adding(source) } }

  private func source(_ key: Node, _ value: Node) throws(ScanFailure) -> Source {
    guard let name = key.string, name.wholeMatch(of: /[A-Za-z0-9_-]{1,40}/) != nil else {
      throw file.mistake(key, "a source's name has up to 40 letters, digits, - and _")
    }
    guard case .mapping(let mapping) = value else { throw file.mistake(key, "\(name) needs an address:") }
    var (address, scanFile, silence) = (Source.Address?.none, String?.none, 10.0)
    for (key, value) in mapping {
      switch key.string.flatMap(SourceKey.init) {
      case .address: address = try self.address(key, file.word(key, value))
      case .scan: scanFile = resolved(try file.word(key, value))
      case .silence:
        guard let seconds = Double(written: try file.word(key, value)), Self.silenceRange.contains(seconds) else {
          throw file.mistake(key, "silence is a number of seconds from 0.5 to 86400")
        }
        silence = seconds
      case nil:
        let known = SourceKey.allCases.map(\.rawValue).joined(separator: ", ")
        throw file.mistake(key, "a source has no key \(key.string ?? "?"); known are \(known)")
      }
    }
    guard let address else { throw file.mistake(key, "\(name) needs an address:") }
    return Source(name: name, address: address, scanFile: scanFile, silence: silence)
  }

  /// Folders whose files may be added from afar.
  package var openFolders: [String] {
    (page?.folders ?? [])
      + sources.compactMap { source in if case .drop(let path) = source.address { path } else { nil } }
  }

  private func address(_ key: Node, _ text: String) throws(ScanFailure) -> Source.Address {
    let prefix = "drop:"
    if text.hasPrefix(prefix), text.count > prefix.count {
      return .drop(resolved(String(text.dropFirst(prefix.count))))
    }
    do throws(StreamError) {
      let address = try DetectorAddress(text)
      if case .folder(let path) = address { return .detector(.folder(resolved(path))) }
      return .detector(address)
    } catch {
      let known = "zmq+pull://HOST:PORT, zmq+sub://HOST:PORT, pva://VARIABLE, watch:FOLDER or drop:FOLDER"
      throw file.mistake(key, "address \(text): it is \(known) (\(error))")
    }
  }

  /// A path as this file means it.
  private func resolved(_ text: String) -> String {
    text.hasPrefix("/") ? text : absolutePath("\(folderName(of: path))/\(text)")
  }
}
