import Foundation
import Host
import ScanFiles
import ScanPlan
import Stages
import Testing
import Tomography

@Suite struct ScanDescriptionTests {
  @Test func `A description comes back from JSON, spelled as on the command line`() throws {
    var scan = ScanDescription(input: "a.h5", outputFolder: "out")
    (scan.rotationAxis, scan.windowLength, scan.bits) = (.pixels(296.25), 12, .sixteen)
    scan.range = .percentiles(0.5, 99)
    scan.regularisation = Regularisation(strength: 3, delta: 0.25)
    let data = try JSONEncoder().encode(scan)
    #expect(try JSONDecoder().decode(ScanDescription.self, from: data) == scan)
    let words = try JSONDecoder().decode([String: String].self, from: data)
    #expect(
      words["rotation-axis"] == "296.25" && words["reg"] == "3.0,0.25" && words["bits"] == "16"
        && words["workers"] == nil, "\(words)")
  }

  @Test func `A description with a key or a word that this version does not know is refused`() {
    for text in [#"{"input": "a", "colour": "red"}"#, #"{"bits": "12"}"#] {
      #expect(throws: DecodingError.self) { try JSONDecoder().decode(ScanDescription.self, from: Data(text.utf8)) }
    }
  }

  @Test func `The defaults are valid`() throws {
    try ScanDescription(input: "a.h5", outputFolder: "out").validate()
  }

  private static let mistakes: [(String, @Sendable (inout ScanDescription) -> Void)] = [
    (
      "--stage name=a reads b, which comes after it",
      {
        $0.stage = UserStages(
          scanText: "name=a,program=/bin/true,reads=b name=b,program=/bin/true,reads=a,writes=labels:u8")
      }
    ),
    (
      "--stage name=a reads a, which is itself",
      { $0.stage = UserStages(scanText: "name=a,program=/bin/true,reads=a,writes=labels:u8") }
    ),
    (
      "--stage name=a reads c, which is no stage",
      { $0.stage = UserStages(scanText: "name=a,program=/bin/true,reads=c") }
    ),
    (
      "--stage name=b reads a, which writes nothing",
      { $0.stage = UserStages(scanText: "name=a,program=/bin/true name=b,program=/bin/true,reads=a") }
    ),
    ("--window-length 0", { $0.windowLength = 0 }), ("--window-step 25", { $0.windowStep = 25 }),
    ("--window-step -1", { $0.windowStep = -1 }), ("--window-iter 0", { $0.windowIter = 0 }),
    ("--final-iterations -1", { $0.finalIterations = -1 }), ("--final-subsets 0", { $0.finalSubsets = 0 }),
    ("--stop-scale 3", { $0.stopScale = 3 }), ("--stop-scale 6", { ($0.reference, $0.stopScale) = ("a.h5", 6) }),
    ("--stop-distance 0", { ($0.stopSimilarity, $0.stopDistance) = (0.9, 0) }),
    ("--range 2.0,1.0", { $0.range = .values(2, 1) }), ("--range P1,P101", { $0.range = .percentiles(1, 101) }),
    ("--range 0.0,1.0 goes with", { $0.range = .values(0, 1) }),
    ("--workers 0", { $0.workers = 0 }), ("--workers 32", { $0.workers = 32 }), ("--threads 0", { $0.threads = 0 }),
    ("--binning 7", { $0.binning = 7 }), ("--relaxation 0", { $0.relaxation = 0 }),
    ("--relaxation nan", { $0.relaxation = .nan }),
    ("--rate 0", { $0.rate = 0 }), ("--rate inf", { $0.rate = .infinity }), ("--rate 1e-300", { $0.rate = 1e-300 }),
    ("--rate nan", { $0.rate = .nan }), ("--output-folder is empty", { $0.outputFolder = "" }),
    ("--run-folder is empty", { $0.runFolder = "" }), ("--nsino 1.5", { $0.nsino = 1.5 }),
    ("--start-row -1", { $0.startRow = -1 }), ("--end-row 3", { ($0.startRow, $0.endRow) = (3, 3) }),
    ("exclude each other", { ($0.nsino, $0.startRow) = (0.5, 1) }),
    ("--window-subsets 0", { $0.windowSubsets = 0 }),
    ("--final-subsets 2 goes with", { ($0.algorithm, $0.finalSubsets) = (.mlem, 2) }),
    ("--window-subsets 3 goes with", { ($0.algorithm, $0.windowSubsets) = (.fbp, 3) }),
    ("--relaxation 0.5 goes with", { ($0.algorithm, $0.relaxation) = (.osem, 0.5) }),
    ("--final-iterations 0 with --algorithm fbp", { ($0.algorithm, $0.finalIterations) = (.fbp, 0) }),
    ("--final-iterations 0 with --algorithm cgls", { ($0.algorithm, $0.finalIterations) = (.cgls, 0) }),
    ("--initial fbp is a start for iterations", { ($0.algorithm, $0.initial) = (.fbp, .fbp) }),
    ("--initial fbp is a start for final", { ($0.initial, $0.finalIterations) = (.fbp, 0) }),
    ("--non-negative goes with", { ($0.algorithm, $0.nonNegative) = (.fbp, true) }),
    ("--non-negative goes with", { ($0.final, $0.nonNegative) = (.cgls, true) }),
    ("--final-subsets 2 goes with", { ($0.final, $0.finalSubsets) = (.cgls, 2) }),
    ("--filter hann goes with", { ($0.algorithm, $0.filter) = (.mlem, .hann) }),
    ("--reg 1.0 goes with", { $0.regularisation = Regularisation(strength: 1) }),
    (
      "--reg 1.0,2.0: a second number",
      { ($0.algorithm, $0.regularisation) = (.pmlQuadratic, Regularisation(strength: 1, delta: 2)) }
    ),
    ("--reg 0.0: the strength", { ($0.algorithm, $0.regularisation) = (.pmlQuadratic, Regularisation(strength: 0)) }),
    ("--reg nan: the strength", { ($0.algorithm, $0.regularisation) = (.pmlHybrid, Regularisation(strength: .nan)) }),
    (
      "--reg 1.0,-1.0: the difference",
      { ($0.algorithm, $0.regularisation) = (.pmlHybrid, Regularisation(strength: 1, delta: -1)) }
    ),
    ("--disk-buffer 2000", { $0.diskBuffer = 2000 }), ("--disk-buffer nan", { $0.diskBuffer = .nan }),
    ("--workers 3 and --bands 2: 1 worker would have no band", { ($0.workers, $0.bands) = (3, .number(2)) }),
    ("--disk-buffer 2 goes with", { ($0.diskBuffer, $0.durability) = (2, .memory) }),
    ("--mirror /b goes with --durability durable", { ($0.mirror, $0.durability) = ("/b", .memory) }),
    ("--window-recent 0", { $0.windowRecent = 0 }), ("--window-spread 65", { $0.windowSpread = 65 }),
    ("--window-spread 2 and --window-length 12", { ($0.windowSpread, $0.windowLength) = (2, 12) }),
    ("--window-memory 5GiB and --window-step 1", { ($0.windowMemory, $0.windowStep) = (.gibibytes(5), 1) }),
    ("--window-recent 1 goes with", { ($0.windowRecent, $0.algorithm) = (1, .mlem) }),
    ("--preset fast goes with", { ($0.algorithm, $0.preset) = (.sirt, .fast) }),
    ("--precision fixed goes with", { ($0.algorithm, $0.precision) = (.sirt, .fixed) }),
    ("--weight 2x goes with", { ($0.algorithm, $0.weight) = (.mlem, .multiple(2)) }),
    ("--count-weights goes with", { ($0.algorithm, $0.countWeights) = (.sirt, true) }),
    ("--padding none goes with", { ($0.algorithm, $0.padding) = (.fbp, .none) }),
    ("--huber 0.03 is about final iterations", { ($0.algorithm, $0.huber, $0.finalIterations) = (.auto, 0.03, 0) }),
    ("--tv-dimensions 4", { ($0.final, $0.tvDimensions) = (.auto, 4) }),
    ("--tv-dimensions 3 goes with", { ($0.algorithm, $0.tvDimensions) = (.sirt, 3) }),
    ("--inner-steps 9", { ($0.final, $0.innerSteps) = (.auto, 9) }),
    ("--momentum-max 1.5", { ($0.final, $0.momentumMax) = (.auto, 1.5) }),
    ("--final auto is the method", { ($0.final, $0.finalIterations) = (.auto, 0) }),
    ("--initial fbp goes with an algorithm", { ($0.final, $0.initial) = (.auto, .fbp) }),
    ("--final-subsets 3 goes with", { ($0.algorithm, $0.final, $0.finalSubsets) = (.sirt, .mlem, 3) }),
    ("--relaxation 0.5 goes with", { ($0.algorithm, $0.relaxation) = (.auto, 0.5) }),
    ("reconstructs nothing", { ($0.windowStep, $0.finalIterations) = (0, 0) }),
    ("--bits 8 is about TIFF files", { ($0.bits, $0.format) = (.eight, .hdf5) }),
    ("--bits 16 is about TIFF files", { ($0.bits, $0.format) = (.sixteen, .zarr) }),
    ("--compress is about the HDF5 file", { ($0.compress, $0.format) = (true, .tiff) }),
    ("Zarr is compressed in any case", { ($0.compress, $0.format) = (true, .zarr) }),
    ("--zarr-version 0.4 goes with", { $0.zarrVersion = .v04 }),
    ("--window-iter 3 is about updates", { ($0.windowIter, $0.windowStep) = (3, 0) }),
    ("--window-subsets 2 is about updates", { ($0.windowSubsets, $0.windowStep) = (2, 0) }),
    ("--lag-max 9 is about updates", { $0.lagMax = 9 }),
    ("--algorithm fbp with --final sirt has nothing", { ($0.algorithm, $0.final) = (.fbp, .sirt) }),
    ("--algorithm cgls with --final sirt has nothing", { ($0.algorithm, $0.final, $0.rate) = (.cgls, .sirt, 5) }),
    ("fbp makes one pass", { ($0.algorithm, $0.finalIterations) = (.fbp, 20) }),
    ("--final-subsets 4 is about final", { ($0.algorithm, $0.finalSubsets, $0.finalIterations) = (.sirt, 4, 0) }),
    ("--disk-buffer 2 is for images that cannot wait", { $0.diskBuffer = 2 }),
    ("--live-binning 4 is outside 0…3", { $0.liveBinning = .exponent(4) }),
    ("--live-binning auto is the least", { ($0.liveBinning, $0.windowStep) = (.auto, 1) }),
    ("--latency-max 0 ", { $0.latencyMax = 0 }),
    ("--latency-max 2 is about updates", { ($0.latencyMax, $0.windowStep) = (2, 0) }),
    ("--expect-rate 9 is about updates", { ($0.expectRate, $0.windowStep) = (9, 0) }),
    (
      "--when-slow widen,decimate:4 goes with",
      { ($0.whenSlow, $0.windowStep) = (SlowLadder(scanText: "widen,decimate:4"), 1) }
    ),
    (
      "--final-iterations 0 makes no other",
      { ($0.whenSlow, $0.latencyMax, $0.finalIterations) = (SlowLadder(scanText: "coarse"), 1, 0) }
    ),
    ("--when-slow widen goes with", { ($0.whenSlow, $0.rate, $0.lagMax) = (.standard, 9, 0) }),
    (
      "--latency-max 2 and --fabric",
      { ($0.latencyMax, $0.windowStep, $0.fabric) = (2, 1, "nats://127.0.0.1:4222") }
    ),
    ("--catch-up 0 ", { $0.catchUp = 0 }),
    ("--catch-up 1 goes with --bands", { ($0.catchUp, $0.rate) = (1, 9) }),
    ("--catch-up 1 goes with --latency-max", { ($0.catchUp, $0.bands, $0.windowStep) = (1, .auto, 1) }),
    ("--catch-up 1 goes with --latency-max", { ($0.catchUp, $0.bands, $0.rate, $0.lagMax) = (1, .auto, 9, 0) }),
    ("--catch-up 1 is about updates", { ($0.catchUp, $0.bands, $0.rate, $0.windowStep) = (1, .auto, 9, 0) }),
    (
      "--catch-up 2, --workers 1 and --bands 2: 1 worker would have no band",
      { ($0.catchUp, $0.workers, $0.bands, $0.rate) = (2, 1, .number(2), 9) }
    ),
    (
      "--catch-up 1 and --fabric",
      { ($0.catchUp, $0.bands, $0.windowStep, $0.fabric) = (1, .auto, 1, "nats://127.0.0.1:4222") }
    ),
    ("--live-binning 1 is about updates", { ($0.liveBinning, $0.windowStep) = (.exponent(1), 0) }),
    ("--live-binning 2 is about the volume", { ($0.liveBinning, $0.finalIterations) = (.exponent(2), 0) }),
    ("--reference a.h5 is compared", { ($0.liveBinning, $0.reference) = (.exponent(1), "a.h5") }),
    (
      "--live-binning 1 and --fabric",
      { ($0.liveBinning, $0.windowStep, $0.fabric) = (.exponent(1), 1, "nats://127.0.0.1:4222") }
    ),
    (
      "--window-memory 9 is for the projections",
      { ($0.windowMemory, $0.windowSpread) = (.projections(9), 0) }
    ),
    ("--theta-unit radians is the unit", { ($0.input, $0.thetaUnit) = ("a.tif", .radians) }),
    ("are degrees: leave one of them out", { ($0.thetaUnit, $0.thetaStep) = (.radians, 0.03) }),
    (
      "--channel a is of a DECTRIS stream",
      { ($0.input, $0.channel, $0.detectorShape, $0.projections) = ("pva://A:Image", "a", DetectorShape(4, 4), 9) }
    ),
    ("--first-frame 5: frames of a file", { ($0.input, $0.firstFrame) = ("watch:/tmp/a.h5", .number(5)) }),
  ]

  @Test func `What changes nothing in one kind of run has its effect in another`() throws {
    let changes: [@Sendable (inout ScanDescription) -> Void] = [
      { ($0.bits, $0.format) = (.eight, .all) }, { ($0.compress, $0.format) = (true, .hdf5) },
      { ($0.zarrVersion, $0.format) = (.v04, .zarr) }, { $0.windowIter = 3 }, { ($0.lagMax, $0.rate) = (9, 5) },
      { ($0.diskBuffer, $0.rate) = (2, 5) }, { ($0.algorithm, $0.final, $0.rate) = (.fbp, .sirt, 5) },
      { ($0.algorithm, $0.finalIterations) = (.fbp, 1) },
    ]
    for (number, change) in changes.enumerated() {
      var scan = ScanDescription(input: "a.h5", outputFolder: "out")
      change(&scan)
      #expect(throws: Never.self, "change \(number)") { try scan.validate() }
    }
  }

  @Test func `Every mistake is named with its option and value`() {
    for (fragment, make) in Self.mistakes {
      var scan = ScanDescription(input: "a.h5", outputFolder: "out")
      make(&scan)
      let failure = #expect(throws: ScanFailure.self, "\(fragment)") { try scan.validate() }
      #expect(
        failure?.exitCode == 64 && failure?.description.contains(fragment) == true, "\(failure?.description ?? "")")
    }
  }

  @Test(arguments: Algorithm.allCases) func `The defaults are valid with every method`(algorithm: Algorithm) throws {
    var scan = ScanDescription(input: "a.h5", outputFolder: "out")
    scan.algorithm = algorithm
    try scan.validate()
  }

  @Test(arguments: ["0.5x", "2x", "0.0002"]) func `A weight is a multiple of the rule or a value`(text: String) {
    #expect(PenaltyWeight(scanText: text)?.scanText == text)
  }

  @Test(arguments: ["", "x", "0", "0x", "-1", "nan", "inf", "1e-60", "2 x", "0x10", "+2x"])
  func `Anything else is no weight`(text: String) {
    #expect(PenaltyWeight(scanText: text) == nil)
  }

  @Test(arguments: ["auto", "none", "12"]) func `A grid has so many pixels more, none, or as needed`(text: String) {
    #expect(GridPadding(scanText: text)?.scanText == text)
  }

  @Test(arguments: ["", "0", "-1", "5001", "1.5"]) func `Anything else is no padding`(text: String) {
    #expect(GridPadding(scanText: text) == nil)
  }

  @Test(arguments: ["", ",", "1,", ",1", "1,2,3", "strong", "1;2"])
  func `Anything but one or two numbers is no penalty`(text: String) {
    #expect(Regularisation(text) == nil)
  }

  @Test(arguments: ["0", "900", "2.5GiB", "0GiB", "1e-3GiB"])
  func `A window's memory is a number of projections or of GiB`(text: String) throws {
    let memory = try #require(WindowMemory(scanText: text))
    #expect(WindowMemory(scanText: memory.scanText) == memory)
  }

  @Test(arguments: ["", "-1", "1.5", "nanGiB", "-1GiB", "GiB", "2 GiB", "2gib", "infGiB", "9999999999"])
  func `Anything else is no memory of a window`(text: String) {
    #expect(WindowMemory(scanText: text) == nil)
  }

  @Test(arguments: ["296", "auto", "-1", "1e2"]) func `A rotation axis is a number or auto`(text: String) {
    #expect(RotationAxis(text) != nil)
  }

  @Test func `A number that is written in another way than in decimal digits is none, of whatever key`() throws {
    for key in ScanKey.all {
      for word in ["0x10", "0x1p3", "+5", "+5s", "0x10s", "1e1s", "inf", "nan", "0x1p3x", "0x1GiB"] {
        var scan = ScanDescription.standard
        // Text may be anything, as a path.
        guard (try? scan.set(key.name, to: word)) != nil, let read = scan.words[key.name] else { continue }
        #expect(read == word, "\(key.name)")
      }
    }
  }

  @Test(arguments: ["1e1s", "+5s", "0x10s", "-1s", "0s", "0.0001s", "1e-1", "+5", "infs"])
  func `Anything else is no interval of checkpoints`(text: String) {
    #expect(CheckpointEvery(text) == nil)
  }

  @Test(arguments: ["", "nan", "inf", "middle", "12px", "0x10", "+5"])
  func `Anything else is no rotation axis`(text: String) {
    #expect(RotationAxis(text) == nil)
  }

  @Test(arguments: ["keep", "none", "1", "365"]) func `A run folder is kept, not kept, or kept for days`(text: String)
    throws
  {
    var scan = ScanDescription(input: "a.h5", outputFolder: "out")
    scan.retain = try #require(Retention(text))
    #expect(scan.retain.text == text)
  }

  @Test(arguments: ["", "0", "-1", "1.5", "nan", "forever", "36501", "9999999999999999999"])
  func `Anything else says nothing of how long`(text: String) {
    #expect(Retention(text) == nil)
  }

  @Test func `Optimised interleaving has its degrees in its word`() {
    #expect(AngleOrder(scanText: "interleaved-optimised:5.5") == .interleavedOptimised(5.5))
    #expect(AngleOrder.interleavedOptimised(24).scanText == "interleaved-optimised:24")
    for word in ["", "0", "-1", "91", "nan", "x"] {
      #expect(AngleOrder(scanText: "interleaved-optimised:" + word) == nil, "\(word)")
    }
  }
}
