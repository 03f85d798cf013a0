public import Rings
import Tomography
import Topics

/// Decides what is computed: which rows of which projection go to which worker, and when each window is complete.
///
/// Every worker's chunk events carry the same decisions in the same order, and a worker does nothing that is not in them, so
/// a replay of the chunks repeats the volume.
public struct DistributeStage {
  /// What to decide with.
  public struct Configuration: Sendable {
    /// Detector rows of each worker, in the rows of an event's payload.
    public var rows: [Range<Int>]
    /// Projections of a window.
    public var windowLength: Int
    /// Projections between updates; 0 for no updates while the scan runs.
    public var windowStep: Int
    /// Iterations of an update.
    public var windowIterations: Int
    /// Iterations over all projections after the scan.
    public var finalIterations: Int
    /// Ordered subsets of each of those.
    public var finalSubsets: Int

    /// A configuration; the values were validated with the scan description.
    public init(
      rows: [Range<Int>], windowLength: Int, windowStep: Int, windowIterations: Int, finalIterations: Int, finalSubsets: Int
    ) {
      self.rows = rows
      self.windowLength = windowLength
      self.windowStep = windowStep
      self.windowIterations = windowIterations
      self.finalIterations = finalIterations
      self.finalSubsets = finalSubsets
    }
  }

  private let configuration: Configuration
  private let projections: RingReader
  private let chunks: [RingWriter]
  private let patience: Patience
  private var schedule: WindowSchedule
  private var counts: [ChunkEvent.Role: Int] = [.projection: 0, .flat: 0, .dark: 0]
  private var updates = 0

  /// One writer in `chunks` for each worker.
  public init(configuration: Configuration, projections: RingReader, chunks: [RingWriter], patience: Patience) {
    precondition(configuration.rows.count == chunks.count, "\(chunks.count) chunk topics for \(configuration.rows.count) workers")
    self.configuration = configuration
    self.projections = projections
    self.chunks = chunks
    self.patience = patience
    schedule = WindowSchedule(length: configuration.windowLength, step: configuration.windowStep)
  }

  /// Runs until `projections` ends; then drains the window, asks for the final sweeps and closes the chunks.
  public mutating func run() throws {
    while true {
      let event = try patience.next(projections, of: Topic.projections.name)
      let header = event.header
      switch header.kind {
      case .projection:
        try hand(out: header, as: .projection)
        if let window = schedule.append() { try order(window) }
      case .flat: try hand(out: header, as: .flat)
      case .dark: try hand(out: header, as: .dark)
      case .end:
        return try finish(EndEvent(decoding: event.metadata))
      default: throw StageError.disorder("\(header.kind) in projections at \(header.sequence)")
      }
      try projections.release(upTo: header.sequence + 1)
    }
  }

  private mutating func hand(out header: EventHeader, as role: ChunkEvent.Role) throws {
    let ordinal = counts[role, default: 0]
    counts[role] = ordinal + 1
    for (rows, writer) in zip(configuration.rows, chunks) {
      try append(.rows(role: role, sequence: header.sequence, rows: rows, ordinal: ordinal), to: writer)
    }
  }

  private mutating func order(_ window: Range<Int>) throws {
    for writer in chunks {
      try append(.update(index: updates, projections: window, iterations: configuration.windowIterations), to: writer)
    }
    updates += 1
  }

  private mutating func finish(_ end: EndEvent) throws {
    for window in schedule.drain() { try order(window) }
    let projections = counts[.projection, default: 0]
    for writer in chunks {
      if configuration.finalIterations > 0, projections > 0 {
        try append(
          .final(
            iterations: configuration.finalIterations, subsets: min(configuration.finalSubsets, projections), projections: projections),
          to: writer)
      }
      try writer.append(kind: .end, timeout: patience.room, EndEvent(reason: end.reason, projections: projections).encode)
    }
  }

  private func append(_ chunk: ChunkEvent, to writer: RingWriter) throws {
    try writer.append(kind: .chunk, timeout: patience.room, chunk.encode)
  }
}
