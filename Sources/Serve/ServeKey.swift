package import ScanPlan

/// The keys of `serve.yaml` beside those of the disk (`DiskLimits.LimitKey`). Reading the file, its mistakes and its
/// description come from here.
enum ServeKey: String, CaseIterable {
  case folder
  case output
  case runs
  case epics
  case address
  case name
  case tokenFile = "token-file"
  case tlsCertificate = "tls-certificate"
  case tlsKey = "tls-key"
  case filesFrom = "files-from"
  case onChange = "on-change"
  case hook
  case sources

  /// What it is.
  var help: String {
    switch self {
    case .folder: "Folder of everything that the server makes."
    case .output: "Folder of a volume, below scans there: {date}, {time}, {sample}, {source} and {number}."
    case .runs: "Reconstructions at a time."
    case .epics: "What the names of process variables begin with that show it and its runs."
    case .address: "ADDRESS:PORT of the page and the API of all scans."
    case .name: "The name under which a reverse proxy on this machine serves the page."
    case .tokenFile: "A file with the token for the page, one line of at least 16 characters."
    case .tlsCertificate: "A file in PEM with the certificate that the page is encrypted with, and its authorities."
    case .tlsKey: "A file in PEM with its private key."
    case .filesFrom: "Folders whose scan files may be added through the API."
    case .onChange: "A program that is told of changes of scans, by its whole path, with what it is given."
    case .hook: "An address that is told of changes of scans."
    case .sources: "Where scans come from: names, each with an address."
    }
  }

  /// What its value may be.
  var value: SchemaValue {
    switch self {
    case .folder, .output, .epics, .address, .tokenFile, .tlsCertificate, .tlsKey, .hook:
      ["type": "string", "minLength": .number(1)]
    case .runs: ["type": "integer", "minimum": .number(1), "maximum": .number(Double(ServeFile.runsMax))]
    case .name: ["type": "string", "pattern": "^[A-Za-z0-9.-]{1,253}$"]
    case .filesFrom, .onChange:
      [
        "anyOf": [
          ["type": "string"],
          [
            "type": "array", "items": ["type": "string"], "minItems": .number(1),
            "maxItems": .number(Double(KeyedFile.wordsMax)),
          ],
        ]
      ]
    case .sources:
      [
        "type": "object", "minProperties": .number(1), "maxProperties": .number(Double(ServeFile.sourcesMax)),
        "additionalProperties": false,
        "patternProperties": ["^[A-Za-z0-9_-]{1,40}$": SourceKey.schema],
      ]
    }
  }
}

/// The keys of a source in `serve.yaml`.
enum SourceKey: String, CaseIterable {
  case address
  case scan
  case silence

  private var help: String {
    switch self {
    case .address: "zmq+pull://HOST:PORT, zmq+sub://HOST:PORT, pva://VARIABLE, watch:FOLDER or drop:FOLDER."
    case .scan: "A scan file without what each scan says itself."
    case .silence: "Seconds after which a scan has ended of which nothing comes; 10 by default."
    }
  }

  private var value: SchemaValue {
    switch self {
    case .address: ["type": "string", "pattern": "^(zmq\\+(pull|sub)://|pva://|watch:|drop:)."]
    case .scan: ["type": "string", "minLength": .number(1)]
    case .silence:
      [
        "type": "number", "minimum": .number(ServeFile.silenceRange.lowerBound),
        "maximum": .number(ServeFile.silenceRange.upperBound),
      ]
    }
  }

  static var schema: SchemaValue {
    .closed(
      Dictionary(uniqueKeysWithValues: allCases.map { ($0.rawValue, $0.value.with("description", .string($0.help))) }),
      required: [SourceKey.address.rawValue])
  }
}

extension DiskLimits.LimitKey {
  /// What it is.
  var help: String {
    switch self {
    case .freeAtLeast: "GiB: while less is free, run folders of finished scans are removed, the oldest first."
    case .keep: "Days after which run folders of finished scans are removed: 30d."
    case .keepVolumes: "Days after which volumes are removed: 90d."
    case .volumesAtMost: "Where all volumes take more, the oldest are removed: 500G, 2T."
    case .keepFailed: "Days after which what was acquired of failed and removed scans is removed: 30d."
    }
  }

  /// What its value may be.
  var value: SchemaValue {
    switch self {
    case .freeAtLeast: ["type": "number", "minimum": .number(0), "maximum": .number(1e6)]
    case .volumesAtMost: ["type": "string", "pattern": "^[0-9.]+[GT]$"]
    case .keep, .keepVolumes, .keepFailed: ["type": "string", "pattern": "^[0-9]{1,5}d$"]
    }
  }
}

extension ServeFile {
  /// All of `serve.yaml` as JSON Schema.
  package static var schema: SchemaValue {
    let keys = ServeKey.allCases.map { ($0.rawValue, $0.value.with("description", .string($0.help))) }
    let limits = DiskLimits.LimitKey.allCases.map { ($0.rawValue, $0.value.with("description", .string($0.help))) }
    return .document(
      "A server of Slipring: serve.yaml", Dictionary(uniqueKeysWithValues: keys + limits),
      required: [ServeKey.folder.rawValue, ServeKey.sources.rawValue])
  }
}
