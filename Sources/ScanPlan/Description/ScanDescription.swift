package import Detectors
package import Host
package import ScanFiles
package import Stages
package import Tomography

/// Everything a person can decide about a run. How each property is spelled, in `scan.yaml` as on the command line,
/// what it means and what it may be is a row of `ScanKey.all`.
package struct ScanDescription: Equatable, Sendable {
  /// Path of the scan file, or the address of a live source.
  package var input: String
  /// Folder of the reconstructed slices.
  package var outputFolder: String
  /// Folder of everything else that belongs to the run; nil for a new one in the output folder.
  package var runFolder: String?
  /// Where the rotation axis is.
  package var rotationAxis: RotationAxis = .automatic
  /// The tilt of the axis in the plane of the detector; in a plan degrees.
  package var axisTilt = AxisTilt.degrees(0)
  /// What of the sample a slice holds; in a plan `full` or `half`.
  package var fieldOfView = FieldOfView.auto
  /// First detector row; nil for the top row.
  package var startRow: Int?
  /// The row after the last; nil for all rows to the bottom.
  package var endRow: Int?
  /// A single row, as its relative height (0 top, 1 bottom), instead of a range of rows.
  package var nsino: Double?
  /// Binning by squares of 2^binning pixels.
  package var binning = 0
  /// Projections of the scan file that are used, by their numbers there; nil for all.
  package var subset: ProjectionRange?
  /// The reconstruction method.
  package var algorithm: Algorithm = .auto
  /// The method of the final iterations; nil for that of `algorithm`.
  package var final: Algorithm?
  /// Projections of a sliding window; nil for 24, or for windows that do not slide.
  package var windowLength: Int?
  /// Projections between updates, 0 for none while the scan runs; nil for 1, or for windows that do not slide.
  package var windowStep: Int?
  /// Newest projections of a spread window; nil for 1, or for windows that slide.
  package var windowRecent: Int?
  /// Earlier projections of a spread window; nil for 2, or for windows that slide.
  package var windowSpread: Int?
  /// What workers keep of the projections that spread windows draw from; nil for as much as a volume takes.
  package var windowMemory: WindowMemory?
  /// Binning of what updates are made of.
  package var liveBinning = UpdateBinning.none
  /// Iterations of an update.
  package var windowIter = 1
  /// Iterations over all projections after the scan; nil for what suits the method.
  package var finalIterations: Int?
  /// Ordered subsets of each of those; nil for what suits the method.
  package var finalSubsets: Int?
  /// Ordered subsets of each iteration of an update; nil for what suits the method.
  package var windowSubsets: Int?
  /// A choice among the options of `auto`.
  package var preset = SubsetOptions.Preset.standard
  /// How it projects.
  package var precision = SubsetOptions.Precision.auto
  /// Whether its penalty is taken within each slice, 2, or over the slices too, 3.
  package var tvDimensions = 2
  /// The weight of its penalty; nil for what suits the preset.
  package var weight: PenaltyWeight?
  /// Steps of its penalty in each subset; nil for what suits the preset, as below.
  package var innerSteps: Int?
  /// Its most momentum.
  package var momentumMax: Double?
  /// Its last sweeps with shorter steps.
  package var relaxedSweeps: Int?
  /// Its first sweeps with twice the subsets.
  package var doubledSweeps: Int?
  /// Differences, in parts of the attenuation, below which its penalty is quadratic; nil for total variation.
  package var huber: Double?
  /// Whether line integrals weigh as much as photons came through.
  package var countWeights = false
  /// How far its grid reaches beyond the detector.
  package var padding = GridPadding.auto
  /// What the final iterations start from.
  package var initial: InitialVolume = .zero
  /// Strength and edges of a penalty; nil for what suits the method.
  package var regularisation: Regularisation?
  /// Window on the ramp filter; nil for none.
  package var filter: FBPOptions.Filter?
  /// λ, the length of a step.
  package var relaxation: Double = 1
  /// Whether negative voxels become zero after every update.
  package var nonNegative = false
  /// What becomes of voxels outside the inscribed disk.
  package var diskMask = DiskMasking.auto
  /// How far above their surroundings pixels are that are removed from projections; nil to leave them.
  package var zingers: Double?
  /// The measurement behind phase retrieval; nil for none.
  package var paganin: PhaseRetrieval?
  /// What is done to the sinograms of the final iterations.
  package var stripeRemoval: StripeRemoval = .none
  /// What is done to the finished volume.
  package var denoise: Denoise = .none
  /// In which order the projections of a file are taken.
  package var order: AngleOrder = .sequential
  /// MS-SSIM of volumes a window apart at which the scan ends; nil for never.
  package var stopSimilarity: Double?
  /// The only scale that counts there; nil for all together.
  package var stopScale: Int?
  /// Updates between the two volumes; nil for those of a sliding window, 24 with spread ones.
  package var stopDistance: Int?
  /// Scores in a row that must reach it.
  package var stopPatience = 2
  /// Projections before which it does not end the scan; nil for those that see all directions.
  package var stopAfter: Int?
  /// Rises of the residual in a row that end the scan; nil for never.
  package var stopRises: Int?
  /// A volume in an HDF5 file that the updates are compared with; nil for none.
  package var reference: String?
  /// What the run is watched for; nil for the standard set where the source does not wait.
  package var trigger: TriggerRecords?
  /// What of the run is put together for programs of people; nil for nothing.
  package var view: ViewRecords?
  /// Reconstruction processes; nil for one a NUMA node.
  package var workers: Int?
  /// Threads of each; nil for one a core.
  package var threads: Int?
  /// Into how many bands the rows are cut that workers make; nil for one a worker.
  package var bands: BandCount?
  /// Projections a second at most; nil for as fast as the source delivers.
  package var rate: Double?
  /// Projections that a worker may be behind before updates are made less often, 0 for no limit; nil for twice the
  /// window where the source cannot wait, and no limit otherwise.
  package var lagMax: Int?
  /// Seconds that a projection may wait for the volume that has it, before updates become fewer; nil for any.
  package var latencyMax: Double?
  /// What is done while workers are too far behind, step by step; nil for the usual.
  package var whenSlow: SlowLadder?
  /// Workers that may come beside the others while these are behind; nil for none.
  package var catchUp: Int?
  /// Projections a second that are expected, to be told whether updates keep up with them.
  package var expectRate: Double?
  /// GiB of memory for images that wait for the disk, where the source cannot wait; nil for what the machine and the
  /// rate suggest.
  package var diskBuffer: Double?
  /// What is written.
  package var format: OutputFormat = .both
  /// Projections of each volume of a series; nil for one volume of all.
  package var volumeEvery: VolumeInterval?
  /// Bits of a TIFF sample.
  package var bits: SampleBits = .thirtyTwo
  /// What the integers of 8 and 16 bits stand for; nil for what leaves out few voxels.
  package var range: SampleRange?
  /// The version of OME-Zarr.
  package var zarrVersion = OMEZarrVersion.v05
  /// Whether the chunks of the HDF5 file are compressed.
  package var compress = false
  /// Whether counts become line integrals by −log.
  package var minusLog: MinusLog = .auto
  /// The intensity of the beam where there are no flat fields; nil where these say it.
  package var i0: BeamIntensity?
  /// How flat fields are used.
  package var flatFields: FlatFields = .mean
  /// The unit of the angles in the file.
  package var thetaUnit: AngleUnit = .auto
  /// Edge of a detector pixel at the sample, in mm; nil for what the scan says.
  package var pixelSize: Double?
  /// Energy of the X-rays in keV; nil for what the scan says.
  package var energy: Double?
  /// What is measured; nil for what the scan says.
  package var sample: String?
  /// What of the file is the scan.
  package var selection = ScanSelection()
  /// Rows and columns of a live source's images.
  package var detectorShape: DetectorShape?
  /// Pixels of a live source; nil for uint16.
  package var pixel: PixelType?
  /// Projections of a live source.
  package var projections: Int?
  /// Flat fields that a live source sends, or where those of a file are; nil for none, or its own.
  package var flatFieldSource: FieldSource?
  /// Dark fields likewise.
  package var darkFieldSource: FieldSource?
  /// Path of a scan file with the flat and dark fields of the projections.
  package var fields: String?
  /// Degrees of a live source's first projection; nil for 0.
  package var thetaStart: Double?
  /// Degrees from one projection of a live source to the next; nil for half a turn over all of them.
  package var thetaStep: Double?
  /// The number of a live source's first frame; nil for auto.
  package var firstFrame: FirstFrame?
  /// The channel of a live source with several; nil for its only one.
  package var channel: String?
  /// What becomes of projections that a live source has lost; nil for skip.
  package var onGap: GapPolicy?
  /// Seconds that the program of `onGap` has for a gap; nil for 0.5.
  package var gapWait: Double?
  /// Seconds without a frame of the scan after which a live source is taken to have ended; nil for none.
  package var sourceTimeout: Double?
  /// The address at which a live source is told that the scan was ended early; nil for none.
  package var stopHook: String?
  /// Programs of people that look at the volume while it is made; nil for none.
  package var stage: UserStages?
  /// Where what becomes of the run is told; nil for nowhere.
  package var events: EventAddresses?
  /// The file that says how to reach these; nil for none.
  package var eventsConfig: String?
  /// Seconds that are waited for them after the run's end.
  package var eventsPatience = 5.0
  /// The topic in which commands are accepted; nil for none.
  package var acceptCommands: String?
  /// The servers that hand images to nodes; nil where this machine does everything.
  package var fabric: String?
  /// Rows that are handed out together; nil for what suits the geometry.
  package var granule: Int?
  /// How images go to the servers.
  package var uplink = UplinkPolicy.keep
  /// Whether the newest projections are shown in fewer pixels beside.
  package var uplinkPreview = false
  /// Machines that make slices, for which the edge waits; nil where it waits for none.
  package var nodes: Int?
  /// Rows that the edge reconstructs itself; nil for all, or where nodes make them for none.
  package var localRows: LocalRows?
  /// How parts of nodes become one volume.
  package var gather = Gathering.links
  /// Seconds that parts are waited for without a sign of a node.
  package var partsPatience = 21_600.0
  /// The granules that a node reconstructs; nil for all.
  package var granules: GranuleRange?
  /// The name under which a node's part is known to others; nil for the machine's.
  package var nodeName: String?
  /// Seconds that a node waits for images of an edge that is away.
  package var edgePatience = 300.0
  /// Path of the secret key that the servers ask for.
  package var fabricCredentials: String?
  /// Path of the certificates that those of the servers are signed by.
  package var fabricAuthority: String?
  /// A second folder for the journals.
  package var mirror: String?
  /// How sealed segments of the journals are coded; nil where they are not.
  package var parity: Parity?
  /// How often journals are read again while a run goes on, in seconds; 0 for never.
  package var scrub = 600.0
  /// Whether events go to a journal on disk.
  package var durability: Durability = .durable
  /// How often volumes are saved.
  package var checkpointEvery: CheckpointEvery = .standard
  /// The least serious messages of the logs.
  package var logLevel: LogLevel = .info
  /// Whether the run folder stays after success.
  package var retain: Retention = .keep

  /// A description with every option at its default.
  package init(input: String, outputFolder: String) {
    self.input = input
    self.outputFolder = outputFolder
  }

  /// Every option at its default, with input and output yet to be named.
  package static let standard = ScanDescription(input: "", outputFolder: "")
}

/// What is written of the volume.
package enum OutputFormat: String, CaseIterable, Sendable {
  /// One file a slice.
  case tiff
  /// One file.
  case hdf5
  /// Both of these.
  case both
  /// One folder, with several resolutions.
  case zarr
  /// All of these.
  case all

  /// What of it is written.
  var parts: (tiff: Bool, hdf5: Bool, zarr: Bool) {
    switch self {
    case .tiff: (true, false, false)
    case .hdf5: (false, true, false)
    case .both: (true, true, false)
    case .zarr: (false, false, true)
    case .all: (true, true, true)
    }
  }
}

/// Bits of a TIFF sample; the integers cover a range that the file states.
package enum SampleBits: Int, CaseIterable, Sendable {
  /// UInt8.
  case eight = 8
  /// UInt16.
  case sixteen = 16
  /// Float.
  case thirtyTwo = 32
}

/// Whether the data are counts.
package enum MinusLog: String, CaseIterable, Sendable {
  /// Counts: −log makes line integrals of them.
  case yes
  /// Line integrals already.
  case no
  /// Counts where there are flat fields.
  case auto
}

/// The unit of the angles in a file.
package enum AngleUnit: String, CaseIterable, Sendable {
  /// 180 is half a turn.
  case degrees
  /// π is half a turn.
  case radians
  /// By the file's attribute, its format, or its values.
  case auto
}

/// What survives.
package enum Durability: String, CaseIterable, Sendable {
  /// Every event is on disk before anybody uses it: a run survives the machine.
  case durable
  /// Events live in shared memory: a run survives its stages.
  case memory
}

/// How often volumes are saved: so many updates, or so many seconds as in `30s`; 0 for never.
package struct CheckpointEvery: Equatable, Sendable {
  /// The interval.
  package let interval: CheckpointInterval

  /// Half a minute: what a restart of the machine computes again at most.
  package static let standard = CheckpointEvery(.seconds(30))

  /// An interval as given.
  package init(_ interval: CheckpointInterval) { self.interval = interval }

  /// Seconds that can be written and read again without an exponent.
  private static let secondsRange = 0.001...1e9

  /// Reads `30s`, `100` or `0`.
  package init?(_ text: String) {
    if text.hasSuffix("s"), let seconds = Double(digits: text.dropLast()), Self.secondsRange.contains(seconds) {
      interval = .seconds(seconds)
    } else if let updates = Int(written: text), updates >= 0 {
      interval = updates == 0 ? .never : .updates(updates)
    } else {
      return nil
    }
  }

  /// As it is written on the command line.
  package var text: String {
    switch interval {
    case .never: "0"
    case .updates(let count): "\(count)"
    case .seconds(let seconds): "\(seconds)s"
    }
  }
}
