import Host
import ScanPlan

/// One of the runs that a campaign repeats: what it is asked for, and where its stages can be killed.
struct Scenario {
  let name: String
  /// What it asks for beside what all runs do, and what makes it end before its source does.
  let options: [String]
  let endings: [String]
  /// The named points of each kind of stage beside those of every run, and how often a run of the small scan passes
  /// them.
  let points: [String: [Point]]
  /// Moments at which a stage of it is killed are so long after its start at most.
  var milliseconds = 150
  /// Bands that the rows are cut into; as many as workers otherwise.
  var bands: Int?

  typealias Point = (point: FaultPoint, passes: Int)

  /// Processes that reconstruct.
  static let workers = 2
  /// No score ends a run before this projection.
  static let projectionsMin = 20

  private static let sliding = ["--window-length", "8"]

  /// Windowed updates and final iterations, nothing else.
  static let plain = Scenario(name: "plain", options: sliding, endings: [], points: [:])
  /// Windows that are spread in angle, of which a worker keeps a few projections and reads the others again.
  private static let spread = Scenario(
    name: "spread", options: ["--window-spread", "2", "--window-memory", "4"], endings: [], points: [:])
  /// Projections are filtered before they are distributed, and the volume is denoised.
  private static let filtered = Scenario(
    name: "filtered", options: sliding + filters, endings: [],
    points: [
      "correct": [
        (.claimed, 70), (.payloadWritten, 70), (.committed, 70), (.unreleased, 70), (.submit, 6), (.completion, 6),
      ],
      "denoise": [(.slicesDenoised, 5), (.submit, 1), (.completion, 1)],
    ])
  /// The final iterations go on behind subsets that were saved.
  private static let automatic = Scenario(
    name: "auto", options: ["--final", "auto"], endings: [],
    points: [
      "reconstruct": [(.subsetHalf, 12), (.subsetSaved, 12)]
    ])
  private static let filters = [
    "--zingers", "0.5", "--paganin", "energy=20,distance=100,pixel=0.65,delta-beta=500", "--denoise", "tv",
  ]
  /// All that a run can have in memory: filtered, denoised, and scored, to no end.
  static let complete = Scenario(
    name: "complete", options: sliding + filters + ["--stop-ssim", "0.999", "--stop-patience", "60"], endings: [],
    points: [:])
  /// Control ends the scan where its volume changes little. Updates are made at every projection, so where it ends is
  /// all that may differ.
  private static let stopping = Scenario(
    name: "stopping", options: sliding,
    endings: [
      "--rate", "100", "--lag-max", "0", "--stop-ssim", "0.6", "--stop-after", "\(projectionsMin)", "--stop-patience",
      "3",
    ],
    points: [
      "acquire": [(.stopTold, 1)],
      "control": [(.scored, 8), (.commandBefore, 1), (.commandAfter, 1), (.submit, 8), (.completion, 8)],
    ])

  /// A detector that does not wait, about an axis that is found while it sends: the final iterations begin anew, so
  /// that the volume is that of a file.
  static let live = Scenario(
    name: "live", options: sliding + ["--lag-max", "0", "--rotation-axis", "auto", "--final", "auto"], endings: [],
    points: [
      "distribute": [(.axisSearch, 2), (.axisFound, 2)],
      "reconstruct": [(.subsetHalf, 12), (.subsetSaved, 12)],
    ])

  private static let all = [plain, spread, filtered, automatic, stopping]

  /// A scan of so many projections, with an update at every twentieth: what a stage has behind it must not delay its
  /// successor.
  private static func long(_ projections: Int) -> Scenario {
    let updates = projections / 20
    return Scenario(
      name: "long", options: ["--window-length", "24", "--window-step", "20"], endings: [],
      points: [
        "acquire": [(.committed, projections)], "distribute": [(.ordersHalf, projections), (.unreleased, projections)],
        "reconstruct": [(.flipBefore, updates), (.flipAfter, updates), (.unreleased, projections)],
      ], milliseconds: max(150, projections / 20))
  }

  /// The same of more bands than workers, which come and go: of a source that takes a second, so that there is time.
  var elastic: Scenario {
    Scenario(
      name: name, options: options, endings: endings + ["--bands", "4", "--rate", "50", "--lag-max", "0"],
      points: points, milliseconds: 1000, bands: 4)
  }

  /// Those that can be had with bands.
  static let elastic = [plain, spread, filtered, automatic].map(\.elastic)

  /// The scenarios that have a stage of this name; all for nil. With `long` the only one is that of so many
  /// projections. Throws `.usage` where there is no such stage.
  static func with(stage: String?, long: Int?, isElastic: Bool) throws(ScanFailure) -> [Scenario] {
    let all = long.map { [Self.long($0)] } ?? (isElastic ? elastic : all)
    guard let stage else { return all }
    let scenarios = all.filter { $0.stages.contains(stage) }
    guard !scenarios.isEmpty else {
      throw ScanFailure(
        .usage, "--stage \(stage): there are \(Set(all.flatMap(\.stages)).sorted().joined(separator: ", "))")
    }
    return scenarios
  }

  /// Every stage of such a run.
  var stages: [String] {
    let kinds = Set(Self.commonPoints.keys).union(points.keys).subtracting(["reconstruct"])
    return kinds.sorted() + (0..<(bands ?? Self.workers)).map { "reconstruct.\($0)" }
  }

  /// Where a stage can be killed, beside at any moment.
  func points(of stage: String) -> [Point] {
    let kind = String(stage.prefix { $0 != "." })
    return (Self.commonPoints[kind] ?? []) + (points[kind] ?? [])
  }

  private static let commonPoints: [String: [Point]] = [
    "acquire": [
      (.claimed, 60), (.payloadHalf, 60), (.payloadWritten, 60), (.committed, 60), (.submit, 4), (.completion, 4),
    ],
    "distribute": [(.ordersHalf, 250), (.unreleased, 60), (.submit, 8), (.completion, 8)],
    "reconstruct": [
      (.flipBefore, 50), (.flipAfter, 50), (.blockSwept, 1), (.unreleased, 110), (.submit, 30), (.completion, 30),
      (.renameBefore, 2),
      (.renameAfter, 2),
    ],
    // It decides nothing where no scenario gives it something to decide.
    "control": [],
    "export": [(.exportBefore, 1), (.exportHalf, 20), (.exportAfter, 1), (.renameBefore, 22), (.renameAfter, 22)],
  ]
}
