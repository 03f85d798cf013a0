import Glibc
import Host
import Rings
import RunModel
import Synchronization

/// Signs of life of a run's stages, in shared memory: each stage's process counts on a line of its own, on a thread of
/// its own, so that a long computation beats as well. What beats is the process, not its progress: a stage that waits
/// too long for others ends itself. Beside its beats stands what the supervisor expects of a stage, for those who would
/// wait for it.
///
/// ```
///          0  magic u32 "SLPB", layout u32      8  runID 16 B      24  stages u64
/// 128·(i+1)  beats of stage i u64 atomic: 0 not begun, 1, 2 … one each 100 ms, 2^64−1 the work is done
///        +8  what it lacks of its disk u64 atomic: bits of `DiskShortage`
///       +16  standing of stage i u64 atomic: 0 expected, 1 set aside, 2 missing
///       +24  of acquire: what it has said of its source u64 atomic: bit n for text n
///       +32  of a band: how often it got other cores u64 atomic, 0 for never
///       +40  the cores that it got last, 11 u64 atomic: bit n of word w for core 64·w + n
/// 128·(stages+1)  of the source: number of its first frame and 1 u64 atomic, series and 1 u64 atomic; 0 for unknown
///      +128+256·n  text n, UTF-8 up to a 0: n < 61 what was wrong with the first message of `MessageFault` n, 61 what
///                  is not tried any more, 62 what was assumed of the source, 63 why it ended the scan early
/// ```
final class Heartbeats: @unchecked Sendable {
  let region: SharedRegion
  let stageCount: Int

  /// Between two beats, and between two looks at them.
  static let period: Duration = .milliseconds(100)
  private static let magic: UInt32 = 0x4250_4C53
  private static let layoutVersion: UInt32 = 6
  static let lineByteCount = 128
  private static let done = UInt64.max

  private init(region: SharedRegion, stageCount: Int) {
    self.region = region
    self.stageCount = stageCount
  }

  /// Makes the region of a run with so many stages, none of which has begun.
  static func create(_ names: RegionNames, _ runID: RunID, stageCount: Int) throws(HostError) -> Heartbeats {
    let region = try SharedRegion.create(name: names.heartbeats, byteCount: byteCount(stageCount))
    for (index, word) in header(runID, stageCount).enumerated() {
      region.base.storeBytes(of: word, toByteOffset: 8 * index, as: UInt64.self)
    }
    return Heartbeats(region: region, stageCount: stageCount)
  }

  /// Attaches to the region of a run; refuses one of another run or shape.
  static func attach(_ names: RegionNames, _ runID: RunID, stageCount: Int) throws(HostError) -> Heartbeats {
    let name = names.heartbeats
    let region = try SharedRegion.attach(name: name)
    guard region.byteCount == byteCount(stageCount) else {
      throw .regionRefused(
        name: name, reason: "it has \(region.byteCount) B, \(stageCount) stages need \(byteCount(stageCount)) B")
    }
    let words = (0..<4).map { region.base.load(fromByteOffset: 8 * $0, as: UInt64.self) }
    guard words == header(runID, stageCount) else {
      throw .regionRefused(name: name, reason: "its header is not that of this run's beats")
    }
    return Heartbeats(region: region, stageCount: stageCount)
  }

  private static func byteCount(_ stageCount: Int) -> Int { lineByteCount * (2 + stageCount) + sourceTextsByteCount }

  private static func header(_ runID: RunID, _ stageCount: Int) -> [UInt64] {
    [UInt64(magic) | UInt64(layoutVersion) << 32, runID.low, runID.high, UInt64(stageCount)]
  }

  /// What a stage's process says. Any value is a possible one: only that it changes means something.
  func sign(of stage: Int) -> HeartbeatWatch.Sign {
    // Relaxed: nothing else is read on the strength of it.
    switch word(stage).pointee.load(ordering: .relaxed) {
    case 0: .notBegun
    case Self.done: .done
    case let count: .beats(count)
    }
  }

  /// What a stage's process lacks of its disk.
  func shortage(of stage: Int) -> DiskShortage {
    DiskShortage(word: word(stage, .shortage).pointee.load(ordering: .relaxed))
  }

  /// Whether any stage waits for room on a full disk.
  var isWaitingForRoom: Bool {
    (0..<stageCount).contains { !shortage(of: $0).isDisjoint(with: .waiting) }
  }

  /// Says what the process of a stage lacks of its disk.
  func note(_ shortage: DiskShortage, of stage: Int) {
    word(stage, .shortage).pointee.store(shortage.rawValue, ordering: .relaxed)
  }

  /// What the supervisor expects of a stage. A word without meaning says nothing new.
  func standing(of stage: Int) -> WorkerStanding {
    // SYNC standing ← set: whoever reads that nothing more comes finds all that came.
    switch word(stage, .standing).pointee.load(ordering: .acquiring) {
    case 1: .setAside
    case 2: .missing
    default: .expected
    }
  }

  /// Says what is expected of a stage. To be called by the supervisor, when no process of the stage is left: what the
  /// last one lacked holds nobody any more.
  func set(_ standing: WorkerStanding, of stage: Int) {
    let value: UInt64 =
      switch standing {
      case .expected: 0
      case .setAside: 1
      case .missing: 2
      }
    note([], of: stage)
    word(stage, .standing).pointee.store(value, ordering: .releasing)
  }

  /// Says that no process has begun. To be called between two lives of a stage, when no process of it is left.
  func reset(_ stage: Int) {
    word(stage).pointee.store(0, ordering: .relaxed)
    note([], of: stage)
  }

  /// Starts the thread that beats for a stage until this process ends or `finish` is called.
  func begin(_ stage: Int) throws(HostError) {
    let start = Unmanaged.passRetained(Pulse(heartbeats: self, stage: stage))
    var thread = pthread_t()
    let error = pthread_create(
      &thread, nil,
      { argument in
        // Sound: the argument is the retained object that was passed below, or nothing is done.
        if let argument { Unmanaged<Pulse>.fromOpaque(argument).takeRetainedValue().run() }
        return nil
      }, start.toOpaque())
    guard error == 0 else {
      start.release()
      throw .system(call: "pthread_create", subject: "heartbeat", errno: Errno(rawValue: error))
    }
    pthread_detach(thread)
  }

  /// Says that the work is done, and that the process only has to end; the beats end with it.
  func finish(_ stage: Int) { word(stage).pointee.store(Self.done, ordering: .relaxed) }

  /// What the beating thread needs.
  private final class Pulse {
    private let heartbeats: Heartbeats
    private let stage: Int

    init(heartbeats: Heartbeats, stage: Int) {
      self.heartbeats = heartbeats
      self.stage = stage
    }

    func run() {
      var count: UInt64 = 0
      // A failure means that the work is done.
      while heartbeats.word(stage).pointee.compareExchange(expected: count, desired: count + 1, ordering: .relaxed)
        .exchanged
      {
        count += 1
        usleep(UInt32(Heartbeats.period / .microseconds(1)))
      }
    }
  }

  /// The words of a stage's line, in their order.
  enum Word: Int {
    case beats, shortage, standing, source, place
    /// The first of those of its cores.
    case cores
  }

  func word(_ stage: Int, _ word: Word = .beats) -> UnsafeMutablePointer<Atomic<UInt64>> {
    precondition((0..<stageCount).contains(stage), "stage \(stage) of \(stageCount)")
    // Sound: the word is 8-aligned inside the mapping and only ever accessed atomically.
    return (region.base + Self.lineByteCount * (1 + stage) + 8 * word.rawValue)
      .assumingMemoryBound(to: Atomic<UInt64>.self)
  }
}

extension RegionNames {
  /// The stages' signs of life.
  var heartbeats: String { prefix + "beats" }
}
