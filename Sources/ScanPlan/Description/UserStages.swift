package import Host
package import Stages

/// What works on the volume beside a run's own stages: programs of people, and works of Slipring's own.
package struct UserStages: ScanValue {
  /// What one of them writes.
  package enum Written: String, CaseIterable, Sendable {
    /// A class for each voxel.
    case labels = "labels:u8"
    /// A number for each voxel.
    case volume = "volume:f32"

    /// What a voxel of it is.
    package var pixel: PixelType { self == .labels ? .uint8 : .float32 }
  }

  /// What one of them does.
  package enum Work: Equatable, Sendable {
    /// The program at this path, without arguments.
    case program(String)
    /// The model at a path (ONNX), by the Python package; `python` is the interpreter that has it and onnxruntime, nil
    /// for python3 on the PATH.
    case model(String, python: String?)
    /// A work of Slipring's own.
    case live(LiveWork)

    /// The work of Slipring's own; nil for a program.
    package var live: LiveWork? { if case .live(let work) = self { work } else { nil } }
    /// The path of what is executed, as far as that was said; nil for a work of Slipring's own.
    package var program: String? {
      switch self {
      case .program(let path): path
      case .model(_, let python): python
      case .live: nil
      }
    }
    /// The path of the model; nil where there is none.
    package var model: String? { if case .model(let path, _) = self { path } else { nil } }
    /// What is executed, and its arguments; nil for a work of Slipring's own.
    package var command: [String]? {
      switch self {
      case .program(let path): [path]
      case .model(_, let python): (python.map { [$0] } ?? ["/usr/bin/env", "python3"]) + ["-m", "slipring.onnx"]
      case .live: nil
      }
    }
  }

  /// One of them.
  package struct Record: Equatable, Sendable {
    /// What it is called on the page, in files and in metrics.
    package let name: String
    /// What it does.
    package fileprivate(set) var work: Work
    /// How often it wants to hear of the volume: `update`, seconds as in `10s`, or `final`.
    package let every: String
    /// The stage whose volume it reads; nil for the run's.
    package let reads: String?
    /// What it writes; nil for figures alone.
    package let writes: Written?

    fileprivate var text: String {
      var parts: [String?]
      switch work {
      case .program(let path): parts = ["name=\(name)", "program=\(path)"]
      case .model(let path, let python): parts = ["name=\(name)", "onnx=\(path)", python.map { "python=\($0)" }]
      case .live(let work):
        parts = [work.word, name == work.word ? nil : "name=\(name)"]
        switch work {
        case .denoise(let method): parts.append("method=\(Denoise.method(method).scanText)")
        case .segment(let within), .analyse(let within):
          parts.append(within == UserStages.withinUsually ? nil : "within=\(within.scanText)")
        }
      }
      parts += [every == "update" ? nil : "every=\(every)", reads.map { "reads=\($0)" }]
      switch work {
      case .program: parts.append(writes.map { "writes=\($0.rawValue)" })
      case .model: parts.append(writes == .volume ? nil : writes.map { "writes=\($0.rawValue)" })
      case .live: break
      }
      return parts.compactMap { $0 }.joined(separator: ",")
    }

    /// Whether it makes no files.
    package var isProgramOfFigures: Bool { work.live == nil && writes == nil }

    /// What it does, for people.
    package var words: String { text }
  }

  /// In the order in which they were written.
  package private(set) var records: [Record]

  private static let (countMax, nameMax) = (8, 32)
  /// A protocol buffer, which ONNX is, has no more.
  package static let modelByteCountMax = Int(Int32.max)
  private static let seconds = 1...86_400
  /// What `reads` has for the run's volume.
  package static let volume = "volume"
  /// Names that something else in the run's memory, or beside the volume, has.
  private static let taken = [volume, "denoised", "rec"]
  /// The part of a slice's width that is segmented where nobody says another: reconstructions are worse at the rim.
  fileprivate static let withinUsually = 0.85
  private static let withins = 0.05...1

  /// For people.
  package static var form: String {
    "up to \(countMax) with blanks between them of denoise[,method=tv|nlm|median], segment[,within=0.85], "
      + "analyse[,within=0.85] and name=NAME,program=PATH[,writes=labels:u8|volume:f32], each with "
      + "[,name=NAME][,every=update|10s|final][,reads=volume|STAGE]; onnx=MODEL[,python=PATH] may stand for "
      + "program=PATH; names of a-z, 0-9 and -, none of them twice and "
      + "none of them volume, denoised, rec or one that ends with analysis, paths without blanks and commas"
  }

  /// Records with blanks between them; nil where one has no meaning.
  package init?(scanText: String) {
    records = []
    for word in scanText.split(separator: " ") {
      guard let record = Self.record(word), !records.contains(where: { $0.name == record.name }) else { return nil }
      records.append(record)
    }
    guard (1...Self.countMax).contains(records.count) else { return nil }
  }

  /// The one of that name; nil for none.
  package func record(_ name: String?) -> Record? { records.first { $0.name == name } }

  private static func record(_ word: Substring) -> Record? {
    var parts = word.split(separator: ",", omittingEmptySubsequences: false)
    let own = ["denoise", "segment", "analyse"].first { $0 == parts[0] }
    if own != nil { parts.removeFirst() }
    var values: [Substring: String] = [:]
    for part in parts {
      let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard pair.count == 2, values[pair[0]] == nil else { return nil }
      values[pair[0]] = String(pair[1])
    }
    let name = values.removeValue(forKey: "name") ?? own ?? "", every = values.removeValue(forKey: "every") ?? "update"
    let reads = values.removeValue(forKey: "reads") ?? volume
    let isTime = every.hasSuffix("s") && (Int(digits: every.dropLast()).map(seconds.contains) ?? false)
    guard isName(name), !taken.contains(name), !name.hasSuffix("analysis"), isName(reads),
      every == "update" || every == "final" || isTime,
      let (work, writes) = Self.work(own, &values), values.isEmpty
    else { return nil }
    return Record(name: name, work: work, every: every, reads: reads == volume ? nil : reads, writes: writes)
  }

  /// What a record does and writes; takes the values that say so.
  private static func work(_ own: String?, _ values: inout [Substring: String]) -> (Work, Written?)? {
    switch own {
    case "denoise":
      guard case .method(let method)? = Denoise(scanText: values.removeValue(forKey: "method") ?? "tv") else {
        return nil
      }
      return (.live(.denoise(method)), .volume)
    case .some(let word):
      let within = values.removeValue(forKey: "within").map { Double($0) } ?? withinUsually
      guard let within, withins.contains(within) else { return nil }
      return word == "segment" ? (.live(.segment(within: within)), .labels) : (.live(.analyse(within: within)), nil)
    case nil:
      let writes = values.removeValue(forKey: "writes").map(Written.init)
      guard writes != .some(nil) else { return nil }
      if let model = values.removeValue(forKey: "onnx") {
        let python = values.removeValue(forKey: "python")
        guard !model.isEmpty, python != "" else { return nil }
        return (.model(model, python: python), (writes ?? nil) ?? .volume)
      }
      guard let program = values.removeValue(forKey: "program"), !program.isEmpty else { return nil }
      return (.program(program), writes ?? nil)
    }
  }

  private static func isName(_ text: String) -> Bool {
    (1...nameMax).contains(text.utf8.count) && text.first?.isLetter == true
      && text.allSatisfy { "abcdefghijklmnopqrstuvwxyz0123456789-".contains($0) }
  }

  /// As it is written on the command line and in scan.yaml.
  package var scanText: String { records.map(\.text).joined(separator: " ") }

  /// The same with paths that do not depend on the present folder.
  var absolute: UserStages {
    var stages = self
    for (index, record) in records.enumerated() {
      switch record.work {
      case .program(let path): stages.records[index].work = .program(absolutePath(path))
      case .model(let path, let python):
        stages.records[index].work = .model(absolutePath(path), python: python.map(absolutePath))
      case .live: break
      }
    }
    return stages
  }
}
