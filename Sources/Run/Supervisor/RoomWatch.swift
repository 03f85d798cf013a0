/// Follows who is without room on disk, since when, and what people are told of it: each thing once, and the end.
struct RoomWatch {
  /// What somebody lacks.
  enum Want: Hashable {
    /// These stages wait for room for their journals.
    case journal
    /// The export waits for room for the output.
    case output
    /// A stage waits for room for a report.
    case report
    /// A worker goes on without having saved its volume.
    case savedVolume
    /// The same, for another reason than a full disk.
    case savedVolumeFailed
    /// The supervisor goes on without having written the status.
    case status
    /// The same, for another reason than a full disk.
    case statusFailed(reason: String)

    fileprivate var isRoom: Bool {
      switch self {
      case .savedVolumeFailed, .statusFailed: false
      default: true
      }
    }
  }

  private let folder: RunFolder
  private let outputFolder: String
  private var since: ContinuousClock.Instant?
  /// When the last one had room again.
  private var until: ContinuousClock.Instant?
  private var before: Duration = .zero
  private var told: Set<Want> = []
  /// Who lacks room now, and for what, in words.
  private(set) var words: [String] = []

  /// A disk that has room for so long has it again; one that others fill at once is still full.
  private static let calm: Duration = .seconds(1)

  init(folder: RunFolder, outputFolder: String) { (self.folder, self.outputFolder) = (folder, outputFolder) }

  /// How long the run was without room on disk, so far.
  func duration(at now: ContinuousClock.Instant) -> Duration { before + (since.map { (until ?? now) - $0 } ?? .zero) }

  /// Takes note of who lacks what; gives what people should know now.
  mutating func look(_ lacking: [Want: [String]], at now: ContinuousClock.Instant) -> [String] {
    let isFull = lacking.keys.contains(where: \.isRoom)
    words = lacking.filter(\.key.isRoom).map { Self.words($0, $1) }.sorted()
    var news: [String] = []
    if isFull {
      since = since ?? now
      until = nil
    } else if let since {
      until = until ?? now
      if let until, now - until >= Self.calm {
        before += until - since
        self.since = nil
        told = told.filter { !$0.isRoom }
        news.append("there is room on disk again, after \(Self.seconds(until - since)) s")
      }
    }
    // What failed otherwise is told again when it has succeeded in between.
    told = told.filter { $0.isRoom || lacking[$0] != nil }
    for (want, names) in lacking.sorted(by: { Self.order($0.key) < Self.order($1.key) })
    where told.insert(want).inserted {
      news.append(sentence(want, names))
    }
    return news
  }

  private static func order(_ want: Want) -> Int {
    switch want {
    case .journal: 0
    case .output: 1
    case .report: 2
    case .savedVolume, .savedVolumeFailed: 3
    case .status, .statusFailed: 4
    }
  }

  private static func words(_ want: Want, _ names: [String]) -> String {
    let what =
      switch want {
      case .journal: "journal"
      case .output: "output"
      case .report: "report"
      case .savedVolume, .savedVolumeFailed: "saved volume"
      case .status, .statusFailed: "status.json"
      }
    return "\(what) of \(names.joined(separator: ", "))"
  }

  private func sentence(_ want: Want, _ names: [String]) -> String {
    let who = names.joined(separator: ", "), verb = names.count == 1 ? "waits" : "wait"
    switch want {
    case .journal: return Self.waiting("the journal in \(folder.journals)", who, verb)
    case .output: return Self.waiting("the output in \(outputFolder)", who, verb)
    case .report: return Self.waiting("a report in \(folder.path)", who, verb)
    case .savedVolume:
      return
        "no room on disk for the saved volume of \(who) in \(folder.checkpoints): the run goes on without, and the "
        + "next one is tried at its turn"
    case .savedVolumeFailed:
      return
        "the volume of \(who) cannot be saved in \(folder.checkpoints), its log says why: the run goes on without, and "
        + "the next one is tried at its turn"
    case .status: return "no room on disk for \(folder.status): the run goes on, and tries again every second"
    case .statusFailed(let reason): return "\(reason): the run goes on, and tries again every second"
    }
  }

  private static func waiting(_ what: String, _ who: String, _ verb: String) -> String {
    "no room on disk for \(what): \(who) \(verb), and nothing is lost; free some space, and the run goes on by itself"
  }

  private static func seconds(_ duration: Duration) -> Double { (duration / .milliseconds(100)).rounded() / 10 }
}
