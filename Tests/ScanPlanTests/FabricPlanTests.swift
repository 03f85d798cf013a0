import Fabric
import Host
import KernelTypes
import Rings
import Testing
import Tomography

@testable import ScanPlan
@testable import Stages

/// What the edge tells its nodes, and what they make of it.
@Suite struct FabricPlanTests {
  private static let run = RunID(low: 0x0123_4567_89AB_CDEF, high: 42)
  private static let input = "nats://127.0.0.1:4222/\(run)"
  private static let topology = Topology(nodes: [NUMANode(id: 0, cores: [0, 1, 2, 3], memoryByteCount: 8 << 30)])

  /// The plan of a scan of 48 rows that an edge describes so.
  private static func plan(_ change: (inout ScanDescription) -> Void = { _ in }) -> FabricPlan {
    var scan = ScanDescription(input: "foam.h5", outputFolder: "out")
    (scan.rotationAxis, scan.minusLog, scan.fieldOfView, scan.fabric) = (.pixels(30.25), .yes, .full, "nats://edge")
    change(&scan)
    scan.settleWindows()
    return FabricPlan(
      program: programVersion, run: run, name: "foam", images: "projections", pixelByteCount: 2, rows: 48, columns: 64,
      granule: 16, firstSlice: 100, projections: 90, flats: 10, darks: 5, fieldsMayComeLate: false, minusLog: true,
      rotationAxis: 30.25, projectionsPerHalfTurn: 90, projectionsCovering: 80, keys: FabricPlan.words(of: scan))
  }

  private static func node(_ change: (inout ScanDescription) -> Void = { _ in }) -> ScanDescription {
    var scan = ScanDescription(input: input, outputFolder: "node")
    change(&scan)
    return scan
  }

  private static func runPlan(_ plan: FabricPlan, _ node: ScanDescription = node()) throws -> RunPlan {
    try Planner(plan, input: input, of: node, topology: topology).plan(runID: .random(), command: [])
  }

  @Test func `every key is the edge's or the node's, and a new one has to be given to one of them`() {
    let edge: Set = [
      "rate", "i0", "theta-unit", "order", "subset", "volume-every", "start-row", "end-row", "nsino", "zingers",
      "paganin", "denoise", "lag-max", "disk-buffer", "stop-rises", "reference", "pixel-size", "shape", "pixel",
      "projections", "flats", "darks", "fields", "theta-start", "theta-step", "first-frame", "channel",
      "on-gap", "gap-wait",
      "source-timeout", "stop-hook", "entry",
      "data-path", "image-key-path", "theta-path", "flips", "strict", "fabric", "granule", "local-rows", "nodes",
      "gather", "parts-patience", "uplink", "uplink-preview", "mirror", "parity", "live-binning",
      "latency-max", "when-slow", "expect-rate", "catch-up",
    ]
    let all = Set(ScanKey.all.map(\.name)), (deciding, own) = (FabricPlan.decidingKeys, FabricPlan.ownKeys)
    #expect(deciding.isDisjoint(with: own) && edge.isDisjoint(with: deciding) && edge.isDisjoint(with: own))
    #expect(edge.union(deciding).union(own) == all)
  }

  @Test func `a plan comes back from its bytes, which have neither paths nor addresses`() throws {
    let plan = Self.plan {
      ($0.stopHook, $0.runFolder, $0.fabricCredentials) = ("http://detector/stop?token=x", "/data/run", "/etc/edge.nk")
    }
    let bytes = plan.encoded()
    #expect(bytes.count <= FabricPlan.byteCountMax)
    #expect(try FabricPlan(decoding: bytes, run: Self.run) == plan)
    let text = String(decoding: bytes, as: UTF8.self)
    for secret in ["/", "out", "token", "nats:", ".nk", "foam.h5"] { #expect(!text.contains(secret), "\(secret)") }
  }

  private static let damages: [(String, @Sendable (inout FabricPlan) -> Void)] = [
    ("rows: 0", { $0.rows = 0 }), ("granule: 49", { $0.granule = 49 }), ("granule: 0", { $0.granule = 0 }),
    ("columns: 70000", { $0.columns = 70_000 }), ("bytes of a pixel: 0", { $0.pixelByteCount = 0 }),
    ("bytes of a pixel: 3", { $0.pixelByteCount = 3 }), ("bytes of a pixel: 8", { $0.pixelByteCount = 8 }),
    ("projections: 0", { $0.projections = 0 }), ("all directions: 0", { $0.projectionsCovering = 0 }),
    ("flats: -1", { $0.flats = -1 }),
    ("first slice: -1", { $0.firstSlice = -1 }), ("half turn: 0", { $0.projectionsPerHalfTurn = 0 }),
    ("another topic", { $0.images = "orders" }), ("a name in it", { $0.name = "../../etc/passwd" }),
    ("a name in it", { $0.name = ".." }), ("a name in it", { $0.name = "a\nb" }), ("a name in it", { $0.program = "" }),
    ("a name in it", { $0.name = String(repeating: "a", count: 256) }), ("a name in it", { $0.name = "a\u{202E}b" }),
    ("a name in it", { $0.program = "1\u{2066}" }), ("a name in it", { $0.name = "a\u{2029}b" }),
    ("not printed", { $0.keys["sample"] = "a\u{202E}b" }),
    ("axis is at 64", { $0.rotationAxis = 64 }), ("axis is at 0", { $0.rotationAxis = 0 }),
    ("tilted by 6", { $0.tilt = ScanTilt(degrees: 6, middle: 24) }), ("has no size", { $0.pixelSizeMillimetres = 0 }),
    ("too long", { $0.keys["sample"] = String(repeating: "a", count: 300) }),
    ("that of run", { $0.run = RunID(low: 1, high: 2) }),
  ]

  @Test(arguments: damages.indices) func `a plan with a value that has no meaning is refused in a line`(index: Int) {
    let (words, change) = Self.damages[index]
    var plan = Self.plan()
    change(&plan)
    let failure = #expect(throws: ScanFailure.self) { try FabricPlan(decoding: plan.encoded(), run: Self.run) }
    #expect(failure?.sysExit == .data)
    #expect(failure?.description.contains(words) == true, "\(failure?.description ?? "")")
    #expect(failure?.description.contains("\n") == false)
  }

  @Test func `a plan of another version is refused before anything else of it is read`() {
    for (bytes, words) in [
      (#"{"version": 3, "rows": "many"}"#, "has version 3, and this slipring reads 2"), ("{}", "names no version"),
      ("", "names no version"), (#"{"version": 2}"#, "is none"),
    ] {
      let failure = #expect(throws: ScanFailure.self) { try FabricPlan(decoding: Array(bytes.utf8), run: Self.run) }
      #expect(failure?.sysExit == .data && failure?.description.contains(words) == true, "\(bytes)")
    }
    let long = [UInt8](repeating: 0x20, count: FabricPlan.byteCountMax + 1)
    #expect(throws: ScanFailure.self) { try FabricPlan(decoding: long, run: Self.run) }
  }

  @Test func `a damaged plan is one that can be carried out, or refused, and never a crash`() {
    let seed: UInt64 = 20_261_201
    var random = SplitMix64(seed: seed)
    let whole = Self.plan { ($0.algorithm, $0.windowLength) = (.sirt, 12) }.encoded()
    var refused = 0
    for round in 0..<4000 {
      var bytes = whole
      for _ in 0...Int.random(in: 0...2, using: &random) {
        bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      do {
        _ = try Self.runPlan(FabricPlan(decoding: bytes, run: Self.run))
      } catch is ScanFailure { refused += 1 } catch {
        Issue.record("seed \(seed), round \(round): \(error)")
      }
    }
    #expect(refused > 1000, "\(refused)")
  }

  @Test func `a node has the edge's options and its own files`() throws {
    let plan = try Self.runPlan(
      Self.plan { ($0.algorithm, $0.finalIterations, $0.relaxation) = (.sirt, 7, 0.5) },
      Self.node { ($0.format, $0.threads, $0.granules) = (.hdf5, 2, GranuleRange(scanText: "1:3")) })
    #expect(plan.scan.algorithm == .sirt && plan.scan.finalIterations == 7 && plan.scan.relaxation == 0.5)
    #expect(plan.scan.format == .hdf5 && plan.scan.outputFolder == "node" && plan.scan.threads == 2)
    #expect(plan.shape.rows == 32 && plan.firstSlice == 116 && plan.slices == 32 && plan.shape.columns == 64)
    #expect(plan.shape.flats == 10 && plan.shape.flatsAndDarks == 15 && plan.shape.payloadCapacity == 32 * 64 * 2)
    #expect(plan.rotationAxis == 30.25 && plan.minusLog && plan.fabric?.taken == 1..<3 && plan.fabric?.rows == 16..<48)
    #expect(plan.export.attributes["edge_run"] == Self.run.description)
    #expect(plan.sourceWaits && plan.distribution.lagMax == 0 && plan.uplink == nil)
  }

  private static let strangers: [(String, @Sendable (inout ScanDescription) -> Void)] = [
    ("--algorithm fbp", { $0.algorithm = .fbp }), ("--rotation-axis 31", { $0.rotationAxis = .pixels(31) }),
    ("--start-row 16", { $0.startRow = 16 }), ("--stop-ssim 0.9", { $0.stopSimilarity = 0.9 }),
    ("--lag-max 9", { $0.lagMax = 9 }), ("--denoise program:/bin/true", { $0.denoise = .program("/bin/true") }),
    ("--stop-hook http://a/b", { $0.stopHook = "http://a/b" }), ("--padding none", { $0.padding = .none }),
    ("--window-spread 2", { $0.windowSpread = 2 }), ("--pixel-size 0.1", { $0.pixelSize = 0.1 }),
  ]

  @Test(arguments: strangers.indices) func `a key that decides bits is refused on a node, unless it says the same`(
    index: Int
  ) {
    let (words, change) = Self.strangers[index]
    let failure = #expect(throws: ScanFailure.self) { try Self.runPlan(Self.plan(), Self.node(change)) }
    #expect(failure?.sysExit == .usage)
    #expect(failure?.description.hasPrefix(words + " is decided at the edge") == true, "\(failure?.description ?? "")")
  }

  @Test func `the scan file that a node's run leaves can be run again`() throws {
    let edge = Self.plan { ($0.algorithm, $0.finalIterations, $0.windowLength) = (.sirt, 7, 12) }
    let first = try Self.runPlan(edge, Self.node { $0.granules = GranuleRange(scanText: "0:1") })
    let file = ScanFile(path: "scan.yaml", bytes: Array(ScanFile.effective(first.scan, command: []).utf8))
    #expect(file.problems.isEmpty, "\(file.problems)")
    #expect(try Self.runPlan(edge, file.scan).scan == first.scan)
  }

  @Test func `a plan that names what a node must not do is refused`() {
    for (key, word) in [
      ("denoise", "program:/bin/rm"), ("stop-hook", "http://a/b"), ("output-folder", "/etc"), ("input", "/etc/passwd"),
      ("algorithm", "magic"), ("no-key", "1"), ("binning", "9"), ("window-step", "99"),
    ] {
      var plan = Self.plan { $0.algorithm = .sirt }
      plan.keys[key] = word
      let failure = #expect(throws: ScanFailure.self, "\(key)") { try Self.runPlan(plan) }
      #expect(failure?.sysExit == .data, "\(key): \(failure?.description ?? "")")
    }
  }

  @Test func `a node makes the updates of the edge, whatever either of them has of its own`() throws {
    let kinds: [@Sendable (inout ScanDescription) -> Void] = [
      { _ in }, { $0.rate = 10 }, { $0.algorithm = .sirt }, { ($0.algorithm, $0.windowStep) = (.sirt, 3) },
      { ($0.windowRecent, $0.windowSpread) = (2, 5) }, { ($0.algorithm, $0.windowStep) = (.mlem, 0) },
      { $0.finalIterations = 0 }, { ($0.algorithm, $0.rate) = (.cgls, 5) },
    ]
    for (index, change) in kinds.enumerated() {
      var edge = ScanDescription(input: "foam.h5", outputFolder: "out")
      change(&edge)
      var node = Self.node()
      // A page is looked at; the edge decides all the same.
      node.watch()
      let windows = try Self.runPlan(Self.plan(change), node).windows
      let expected = edge.windows(projectionsPerHalfTurn: 90)
      #expect(windows.step == expected.step && windows.spread == expected.spread, "kind \(index)")
      #expect(windows.step == 0 || windows == expected, "kind \(index)")
    }
  }

  @Test(arguments: [false, true])
  func `F12: a node decides nothing about the pace, however far behind it is`(isAway: Bool) throws {
    var plan = try Self.runPlan(Self.plan { ($0.algorithm, $0.windowStep) = (.sirt, 3) })
    // The rule taken away: images that do not wait.
    if isAway { plan.live?.waits = false }
    let windows = plan.windows
    var interval = UpdateInterval(lagMax: plan.distribution.lagMax, windows: windows, projections: 0)
    var present = 1
    for projections in 1...600 {
      let backlog = UpdateBacklog(lag: projections - 1, lagMax: plan.distribution.lagMax)
      present = interval.next(present, backlog, projections: projections) { _ in nil }
    }
    // Further apart than at its neighbours: seams in the volume.
    #expect((present == 1) == !isAway)
  }

  @Test func `granules that the run does not have are refused with how many there are`() {
    let failure = #expect(throws: ScanFailure.self) {
      try Self.runPlan(Self.plan(), Self.node { $0.granules = GranuleRange(scanText: "2:4") })
    }
    #expect(failure?.description.contains("has 3 granules of 16 rows") == true, "\(failure?.description ?? "")")
  }

  @Test(arguments: [0.02, -0.3, 2]) func `the axis of a slice is the same at the edge and on any node`(degrees: Double)
    throws
  {
    let tilt = ScanTilt(degrees: degrees, middle: 96.5)
    let edge = ScanGeometry(detectorColumns: 64, rotationAxis: 30.25, isHalf: false, tilt: tilt)
    var plan = Self.plan { $0.axisTilt = .degrees(degrees) }
    (plan.rows, plan.granule, plan.tilt) = (200, max(16, edge.rowAlignment), tilt)
    let lanes = edge.layout(rows: 200).lanes, whole = edge.beams(rows: 0..<200)
    for granule in 0..<plan.granules.count {
      let part = try Self.runPlan(plan, Self.node { $0.granules = GranuleRange(scanText: "\(granule):\(granule + 1)") })
      let rows = part.placement.workers[0].rows, beams = part.geometry.beams(rows: rows)
      let size = part.layout(ofWorker: 0).lanes
      for row in rows {
        let row = row + plan.granules[granule].lowerBound
        #expect(beams[(row - plan.granules[granule].lowerBound) / size] == whole[row / lanes], "row \(row)")
      }
    }
    plan.granule = edge.rowAlignment * 3 / 2
    if edge.rowAlignment > 1, plan.granule % edge.rowAlignment != 0 {
      #expect(throws: ScanFailure.self) {
        try Self.runPlan(plan, Self.node { $0.granules = GranuleRange(scanText: "1:2") })
      }
    }
  }

  private static let mistakes: [(String, @Sendable (inout ScanDescription) -> Void)] = [
    ("--fabric: 'ftp://a' is", { $0.fabric = "ftp://a" }),
    ("--fabric: 'nats://…@…'", { $0.fabric = "nats://me:secret@edge" }),
    ("--granule 16 goes with", { $0.granule = 16 }), ("--granule 0", { ($0.fabric, $0.granule) = ("nats://a", 0) }),
    ("--local-rows 0:8 goes with", { $0.localRows = .slices(0..<8) }),
    ("--uplink-preview goes with --fabric", { $0.uplinkPreview = true }),
    ("--nodes 3 goes with --fabric", { $0.nodes = 3 }),
    ("--granules 0:1 goes with", { $0.granules = GranuleRange(scanText: "0:1") }),
    ("--node-name beam goes with", { $0.nodeName = "beam" }),
    ("--edge-patience 5 goes with", { $0.edgePatience = 5 }),
    ("--edge-patience", { ($0.input, $0.edgePatience) = ("nats://b/latest", -1) }),
    ("--node-name a.b is no", { ($0.input, $0.nodeName) = ("nats://b/latest", "a.b") }),
    ("--fabric-credentials goes with", { $0.fabricCredentials = "a.nk" }),
    ("--fabric-authority goes with", { $0.fabricAuthority = "a.pem" }),
    ("--fabric-authority: nats://a:4222 is not", { ($0.fabric, $0.fabricAuthority) = ("nats://a", "a.pem") }),
    ("--fabric-authority: nats://b:4222 is not", { ($0.input, $0.fabricAuthority) = ("nats://b/latest", "a.pem") }),
    ("--tv-dimensions 3", { ($0.fabric, $0.tvDimensions) = ("nats://a", 3) }),
    ("--denoise tv", { ($0.fabric, $0.denoise) = ("nats://a", .init(scanText: "tv")!) }),
    ("--volume-every half-turn", { ($0.fabric, $0.volumeEvery) = ("nats://a", .init(scanText: "half-turn")) }),
    ("--durability memory", { ($0.fabric, $0.durability) = ("nats://a", .memory) }),
    ("--fabric nats://a hands", { ($0.fabric, $0.input) = ("nats://a", "nats://b/latest") }),
    ("names no run", { $0.input = "nats://b" }), ("names no run", { $0.input = "nats://b/17" }),
    (
      "--fabric needs --rotation-axis",
      {
        ($0.fabric, $0.input, $0.projections) = ("nats://a", "zmq+pull://d:9", 5)
        $0.detectorShape = DetectorShape(4, 8)
      }
    ),
  ]

  @Test(arguments: mistakes.indices) func `what cannot be done by several machines is refused in a line`(index: Int) {
    let (words, change) = Self.mistakes[index]
    var scan = ScanDescription(input: "a.h5", outputFolder: "out")
    change(&scan)
    let failure = #expect(throws: ScanFailure.self) { try scan.validate() }
    #expect(failure?.description.contains(words) == true, "\(failure?.description ?? "")")
    #expect(failure?.description.contains("secret") == false)
  }

  @Test func `the edge decides how far apart updates are, and its nodes are told`() throws {
    for algorithm in [Algorithm.auto, .sirt] {
      var scan = ScanDescription(input: "a.h5", outputFolder: "out")
      (scan.fabric, scan.rate, scan.lagMax, scan.algorithm) = ("nats://a", 10, 5, algorithm)
      try scan.validate()
      scan.trigger = .init(scanText: "a,watch=rate,model=threshold:>1,then=widen")
      try scan.validate()
    }
    let node = try Self.runPlan(Self.plan { ($0.algorithm, $0.lagMax) = (.sirt, 9) }).distribution
    #expect(node.isTold && !node.changesPace && node.lagMax == 0)
  }
}
