package import Detectors
package import Host
package import Logging
package import Rings
package import RunModel
package import Topics

/// The work of a stage's process: one event after the other, until its topics end.
package protocol Stage: SendableMetatype {
  /// Does the work of one life of the stage, to its end.
  ///
  /// The order in which readers and writers are taken is a protocol: a writer that is taken ends its predecessor's
  /// epoch and makes durable what that had committed, so whoever needs the predecessor's last event asks the writer
  /// first, and everything that can refuse the work comes before it.
  static func work(in environment: some StageEnvironment) throws
}

/// What a stage's process has for its stage: the ends of the topics that the stage's row of `Wiring` names, the run's
/// volumes, threads, and what the run was planned with.
package protocol StageEnvironment {
  /// Whose process this is.
  var stage: StageName { get }
  /// Workers of the run.
  var workers: Int { get }
  /// What the run was planned with.
  var settings: any StageSettings { get }
  /// How long the stage waits for others.
  var limits: WaitLimits { get }
  /// The stage's log.
  var log: Logger { get }

  /// The reader of a topic that the row names, as the row says; a precondition that it does.
  func reader(_ topic: Topic) throws -> TopicReader
  /// The writer of a topic that the row names, which takes the topic over from a writer that died.
  func writer(_ topic: Topic) throws -> TopicWriter
  /// The volume of a worker.
  func volume(_ worker: Int) throws -> VolumeRegion
  /// The slices of a worker's volume that control compares; nil where it compares none.
  func slices(_ worker: Int) throws -> SliceHistory?
  /// Where a worker saves what the solver of its final iterations knows; nil where the method has nothing to save.
  func solverStates(_ worker: Int) throws -> SolverStateRegion?
  /// An observer of any topic of the run: it is not waited for, and may miss events.
  func observer(_ topic: Topic) throws -> RingObserver
  /// Looks at a topic that goes to disk; it is not waited for either, and misses nothing.
  func follower(_ topic: Topic) throws -> TopicFollower
  /// The denoised volume; the run has one where it denoises.
  func denoisedVolume() throws -> DenoisedVolume
  /// The saved generations of the stage's own volume; nil where nothing of the run goes to disk.
  var checkpoint: VolumeCheckpoint? { get }
  /// The stage's threads, pinned to its cores. To be asked for once.
  func threads() throws -> ThreadPool
  /// The most threads that `widerThreads` ever gives.
  var threadsMax: Int { get }
  /// For a worker: its threads, on other cores where it got some, and those of workers that have nothing to do any
  /// more, on their cores, dealt out to all that have. Nil where nothing has changed since these or `threads` were
  /// asked for.
  func widerThreads() -> ThreadPool?

  /// What the run expects of a worker at present.
  func standing(ofWorker worker: Int) -> WorkerStanding
  /// Whether the supervisor asked the stage to stop. To be asked from the stage's own thread only.
  func stopRequested() -> Bool
  /// Says that an event was handled.
  func didWork()
  /// Says that a message of the source was dropped, and what was wrong with it, so that people hear of it while the
  /// sender still sends.
  func didDrop(_ fault: MessageFault, _ detail: String?)
  /// Says what was assumed of the source, and what of it is not used.
  func didRemark(_ words: String)

  /// Tells people what the source does not try any more.
  func didGiveUp(_ words: String)
  /// Says why the source ended the scan early.
  func didInterrupt(_ words: String)
  /// What a predecessor has found out of the source's beginning.
  var sourceOrigin: SourceOrigin { get }
  /// Says what is known of it for a successor; what is not known stays as it was.
  func note(_ origin: SourceOrigin)
  /// Who asked for the end of the scan; nil where nobody has.
  func finalizeRequester() throws -> String?
  /// What the source has lost; nil for a scan file, and until the acquisition has ended.
  func readLosses() throws -> LossReport?
  /// How images stand on their way to nodes, and what these say; nil where none do, and before the uplink knows it.
  func readUplink() -> UplinkReport?
  /// Radians of the first `count` of a live source's projections, in the order in which they were handed out; nil for a
  /// scan file, and where an order is nowhere any more.
  func liveThetas(_ count: Int) throws -> [Double]?
  /// The rotation axis that the last order about it names, in pixels of the detector; nil where the plan knows it, and
  /// where nobody knows it yet.
  func foundAxis() throws -> FoundAxis?
  /// Takes note of whether the stage's volume could be saved, and why not: it goes on either way.
  func didSave(_ failure: FileError?)
  /// Writes the stage's output again where the disk has no room for it, until it has or the stage is asked to stop.
  var outputRoom: RoomWait { get }
  /// Writes a report into the run's folder, complete or not at all, as soon as the disk has room for it.
  func write(_ report: some Encodable, as file: StageReport) throws
  /// The same where there is room now; false where there is none.
  func writeIfRoom(_ report: some Encodable, as file: StageReport) throws -> Bool
  /// The run's figures; a run that is watched has them.
  func gauges() throws -> GaugesRegion
  /// Asks for the end of the scan, as a person may.
  func finalize(by name: String) throws
  /// Starts a program of a person's, which dies with the stage; these become its standard input and output.
  func startProgram(_ path: String, input: Int32?, output: Int32?) throws -> ChildProcess
  /// Runs a program of a person's to its end; it finds the run's memory by the environment that it is given.
  func runProgram(_ path: String) throws
}

/// The reports that stages leave in the run's folder.
package enum StageReport: Sendable {
  /// What a live source has lost.
  case losses
  /// What came of telling its detector to stop.
  case stop
  /// What the export wrote.
  case export
  /// How images stand on their way to nodes.
  case uplink
  /// What nodes have made.
  case parts
}

/// What the stages of a run were planned with. Every value is the same for each life of a stage.
package protocol StageSettings: Sendable {
  /// Names the run for people and detectors.
  var run: String { get }
  /// The source of `acquire`'s images, of which a predecessor knew `origin`. `noticed` hears of messages that are
  /// dropped, of senders that come and go, and of the beginning.
  func makeSource(origin: SourceOrigin, noticed: @escaping (SourceNotice) -> Void) throws -> any ProjectionSource
  /// Projections a second at most; nil for a source that sets the rate itself, or as fast as can be.
  var sourceRate: Double? { get }
  /// The number that the source gives to its first frame, where that was said.
  var firstFrame: UInt64 { get }
  /// Where the detector is told to stop; nil for nowhere.
  var stopHook: StopHook? { get throws }
  /// How images go to nodes; nil where they do not.
  var uplink: UplinkConfiguration? { get }
  /// What is done to whole projections before they are distributed; nil for nothing.
  var correction: CorrectStage.Configuration? { get }
  /// The topic of the images that are distributed and reconstructed.
  var images: Topic { get }
  /// What `distribute` decides with.
  var distribution: DistributeStage.Configuration { get }
  /// What worker `partition` computes with.
  func reconstruction(ofWorker partition: Int) -> ReconstructStage.Configuration
  /// What `control` decides with.
  var control: ControlConfiguration { get }
  /// For each worker the monitored slice as it should be, in 1/pixel, nil where that is not known; none where slices
  /// are not compared.
  func monitoredTruths() throws -> [[Float]?]
  /// How the finished volume is denoised; nil for not at all.
  var denoisingWork: DenoisingWork? { get }
  /// What `watch` looks at; nil where nothing is watched.
  var watching: WatchConfiguration? { get }
  /// The views that `join` writes.
  var joining: JoinConfiguration { get }
  /// What `export` writes, and where.
  var export: ExportConfiguration { get }
}
