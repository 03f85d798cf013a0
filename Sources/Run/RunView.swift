import Host
package import KernelTypes
import Rings
package import RunModel
package import ScanPlan
import Stages
import Topics

/// What a run's supervisor lets others look at while the run goes on: how full the rings are, which updates were made,
/// and the volume. Nothing of it holds a stage, and the volumes are mapped for reading only. Valid after the run has
/// ended, too.
package final class RunView: Sendable {
  /// What the run works from.
  package let plan: RunPlan
  /// Where it lies.
  package let folder: RunFolder
  private let rings: [(topic: Topic, ring: Ring)]
  private let volumes: [VolumeRegion]
  private let denoised: DenoisedVolume?
  /// What the stage `denoise` makes of the volume while that is made.
  private let denoisedLive: (name: String, volume: StageVolume)?
  private let names: RegionNames

  /// How far one ring is.
  package struct Level: Codable, Equatable, Sendable {
    /// As in `orders.0`.
    package var topic: String
    /// The stage that writes it.
    var writer: String
    /// The stages that read it, upstream first, and those among them that work on its events.
    var readers: [String]
    /// See `readers`.
    var followers: [String]
    /// Events that it can hold.
    package var slots: Int
    /// Events that were published, since the beginning of the run.
    package var published: UInt64
    /// Events that its slowest reader has not yet applied; those beyond `slots` wait on disk.
    package var waiting: UInt64
    /// Events that it had no room for and that are on disk only.
    package var spilled: UInt64
    /// Events that did not fit and are lost.
    package var dropped: UInt64
  }

  /// The volumes of a run.
  package enum Content: String, Sendable {
    /// The newest generation of what the workers make.
    case reconstructed
    /// What denoise makes of it in the end: slice by slice from the top, each as it will stay; before that what a live
    /// stage makes of it, where the run has one.
    case denoised
  }

  /// A cut through a volume.
  package struct Cut: Sendable {
    /// Pixels of a line.
    package let columns: Int
    /// Lines.
    package let rows: Int
    /// 1/pixel, line by line.
    package let values: [Float]
    /// The generation that each worker's part is of; of the denoised volume the slices that are complete.
    package let generations: [UInt64]

    fileprivate init(columns: Int, rows: Int, values: [Float], generations: [UInt64]) {
      (self.columns, self.rows, self.values, self.generations) = (columns, rows, values, generations)
    }

    fileprivate init(_ cut: (columns: Int, rows: Int, values: [Float]), generations: [UInt64]) {
      self.init(columns: cut.columns, rows: cut.rows, values: cut.values, generations: generations)
    }
  }

  /// Attaches to the volumes of a run whose regions are there.
  init(plan: RunPlan, folder: RunFolder, names: RegionNames, rings: [Topic: Ring]) throws {
    self.plan = plan
    self.names = names
    self.folder = folder
    self.rings = plan.wiring.topics.compactMap { topic in rings[topic].map { (topic, $0) } }
    volumes = try plan.placement.workers.indices.map {
      try VolumeRegion.attach(
        name: names.volume($0), runID: plan.runID, partition: $0, layout: plan.layout(ofWorker: $0),
        live: plan.liveLayout(ofWorker: $0), coarse: plan.coarseLayout(ofWorker: $0), isReadOnly: true)
    }
    denoised =
      plan.denoising == nil
      ? nil
      : try DenoisedVolume.attach(
        name: names.denoisedVolume, runID: plan.runID, slices: plan.shape.rows, columns: plan.geometry.columns,
        isReadOnly: true)
    denoisedLive = try plan.denoisingStage.map {
      (
        $0,
        try StageVolume.attach(
          name: names.stageVolume($0), runID: plan.runID, slices: plan.slices, columns: plan.geometry.columns,
          pixel: .float32, isReadOnly: true)
      )
    }
  }

  /// The run's identifier, in words.
  package var run: String { plan.runID.description }
  /// Slices of the whole volume.
  package var slices: Int { plan.slices }
  /// Edge of a slice in pixels.
  package var columns: Int { plan.geometry.columns }
  /// The tilt of the rotation axis, in degrees.
  package var axisTilt: Double { plan.geometry.tiltDegrees }
  /// The field of view, in words.
  package var fieldOfView: String { plan.geometry.words + (plan.liveWords.map { "; \($0)" } ?? "") }

  /// How far the rings are, in the order of `RunWiring.topics`.
  package var levels: [Level] {
    let wiring = plan.wiring
    return rings.map { topic, ring in
      let progress = ring.progress
      let slowest = progress.cursors.compactMap { $0 }.min() ?? progress.published
      let readers = wiring.readers(of: topic)
      return Level(
        topic: topic.name, writer: "\(wiring.writer(of: topic))", readers: readers.map(\.description),
        followers: readers.filter { wiring.works($0, on: topic) }.map(\.description),
        slots: ring.specification.slotCount, published: progress.published,
        waiting: progress.published - min(slowest, progress.published), spilled: progress.spilled,
        dropped: progress.dropped)
    }
  }

  /// The newest complete generation of each worker's volume.
  package var generations: [UInt64] { volumes.map(\.newest.number) }

  /// Slices of the denoised volume that can be seen, from the top; nil where the run denoises nothing.
  package var denoisedSlices: Int? {
    let isLive = denoisedLive.map { $0.volume.newest.number > 0 ? slices : 0 }
    return [denoised?.complete, isLive].compactMap { $0 }.max()
  }

  /// The newest generation of the volume that a live stage denoises; nil where none does.
  package var denoisedGeneration: UInt64? { denoisedLive?.volume.newest.number }

  /// The number of cuts along an axis.
  package func count(along axis: CutAxis) -> Int { axis == .z ? slices : columns }

  /// A cut through the denoised volume as `cut`, black where it is not complete; nil where nothing of it is.
  package func denoisedCut(_ axis: CutAxis, at index: Int, edgeMax: Int) -> Cut? {
    precondition(
      (0..<count(along: axis)).contains(index) && edgeMax > 0, "cut \(axis) at \(index) of \(count(along: axis))")
    guard areWhole else { return nil }
    if let denoised, denoised.complete > (axis == .z ? index : 0) {
      let complete = denoised.complete
      let values = self.values(axis, at: index, edgeMax: edgeMax) { z, voxel in
        z < complete ? denoised.slice(z)[voxel] : 0
      }
      return Cut(values, generations: [UInt64(complete)])
    }
    guard let volume = denoisedLive?.volume else { return nil }
    for _ in 0..<Self.attemptsMax {
      let newest = volume.newest
      guard newest.number > 0 else { return nil }
      let values = self.values(axis, at: index, edgeMax: edgeMax) { z, voxel in
        volume.slice(z, of: newest).load(fromByteOffset: voxel * MemoryLayout<Float>.stride, as: Float.self)
      }
      if volume.isCurrent(newest) { return Cut(values, generations: [newest.number]) }
    }
    return nil
  }

  private static let attemptsMax = 4

  /// Every so-manieth value of a cut through slices that lie one behind the other; `value` gives that of a slice at an
  /// offset.
  private func values(
    _ axis: CutAxis, at index: Int, edgeMax: Int, _ value: (_ z: Int, _ voxel: Int) -> Float
  ) -> (columns: Int, rows: Int, values: [Float]) {
    let edge = Array(stride(from: picked(columns, edgeMax) / 2, to: columns, by: picked(columns, edgeMax)))
    let rows = Array(stride(from: picked(slices, edgeMax) / 2, to: slices, by: picked(slices, edgeMax)))
    let lines = axis == .y ? rows : edge, pixels = axis == .x ? rows : edge
    let values = lines.flatMap { line in
      pixels.map { pixel -> Float in
        let (z, row, column) =
          switch axis {
          case .z: (index, line, pixel)
          case .y: (line, index, pixel)
          case .x: (pixel, line, index)
          }
        return value(z, row * columns + column)
      }
    }
    return (pixels.count, lines.count, values)
  }

  /// One pixel in so many is taken of a side.
  private func picked(_ count: Int, _ edgeMax: Int) -> Int { (count + edgeMax - 1) / edgeMax }

  /// A cut through the newest volume, every so-manieth pixel of it where it would have more than `edgeMax` pixels along
  /// a side. Each worker's part is of one generation; nil where a worker published new ones faster than they can be
  /// read.
  package func cut(_ axis: CutAxis, at index: Int, edgeMax: Int) -> Cut? {
    precondition(
      (0..<count(along: axis)).contains(index) && edgeMax > 0, "cut \(axis) at \(index) of \(count(along: axis))")
    let step = picked(columns, edgeMax)
    let edge = Array(stride(from: step / 2, to: columns, by: step)).count
    let rowStep = picked(slices, edgeMax)
    let rows = Array(stride(from: rowStep / 2, to: slices, by: rowStep))
    let (width, height) =
      switch axis {
      case .z: (edge, edge)
      case .y: (edge, rows.count)
      case .x: (rows.count, edge)
      }
    var values = [Float](repeating: 0, count: width * height)
    var generations: [UInt64] = []
    guard areWhole else { return nil }
    for (worker, volume) in volumes.enumerated() {
      let first = plan.reconstructedRows.lowerBound, rowsOfImage = plan.placement.workers[worker].rows
      let own = rowsOfImage.lowerBound - first..<rowsOfImage.upperBound - first
      let taken = rows.enumerated().filter { own.contains($0.element) }
      guard axis == .z ? own.contains(index) : !taken.isEmpty else { continue }
      let origin = axis == .z ? 0 : taken[0].offset * (axis == .y ? width : 1)
      let read = volume.withNewest { generation in
        values.withUnsafeMutableBufferPointer { picture in
          volume.slices(of: generation).copyCut(
            axis, at: axis == .z ? index - own.lowerBound : index, rows: taken.map { $0.element - own.lowerBound },
            step: step, into: picture, origin: origin, pitch: width)
        }
      }
      guard let read else { return nil }
      generations.append(read.generation)
    }
    return Cut(columns: width, rows: height, values: values, generations: generations)
  }

  /// Whether nobody cut a volume's region short: touching what is missing would end this process. See
  /// `RunRegions.checkSizes`.
  private var areWhole: Bool {
    let denoisedSize = denoised == nil ? 0 : DenoisedVolume.byteCount(slices: slices, columns: columns)
    guard denoised == nil || RunRegions.byteCount(names.denoisedVolume) ?? denoisedSize >= denoisedSize else {
      return false
    }
    if let denoisedLive {
      let size = StageVolume.byteCount(slices: slices, columns: columns, pixel: .float32)
      guard RunRegions.byteCount(names.stageVolume(denoisedLive.name)) ?? size >= size else { return false }
    }
    return volumes.indices.allSatisfy { worker in
      let expected = VolumeRegion.byteCount(volumes[worker].layout)
      return RunRegions.byteCount(names.volume(worker)) ?? expected >= expected
    }
  }

  /// Its images, for whoever looks at them. Use each answer from one thread at a time.
  package func images() -> RunImages {
    let wanted = rings.filter { $0.topic == .projections || $0.topic == .corrected }, names = names
    return RunImages(plan, folder, rings: Dictionary(uniqueKeysWithValues: wanted.map { ($0.topic, $0.ring) })) {
      wanted.allSatisfy { topic, ring in
        RunRegions.byteCount(names.ring(topic)) ?? ring.mapping.count >= ring.mapping.count
      }
    }
  }

  /// The updates that the rings hold from `positions` on (one a worker, 0 for all), which move behind them. What a ring
  /// does not hold any more is left out: this is for curves, not for decisions.
  package func updates(from positions: inout [UInt64]) throws -> [UpdateEvent] {
    precondition(positions.count == volumes.count, "\(positions.count) positions for \(volumes.count) workers")
    var updates: [UpdateEvent] = []
    for (topic, ring) in rings where topic.kind == .updates {
      try Self.forEachEvent(of: ring, from: &positions[topic.partition], .update) {
        updates.append(try UpdateEvent(decoding: $0))
      }
    }
    return updates
  }

  /// The scores that the ring holds from `position` on, as `updates(from:)`.
  package func scores(from position: inout UInt64) throws -> [ScoreEvent] {
    var scores: [ScoreEvent] = []
    for (topic, ring) in rings where topic == .scores {
      try Self.forEachEvent(of: ring, from: &position, .score) { scores.append(try ScoreEvent(decoding: $0)) }
    }
    return scores
  }

  /// The scores from `position` on, which moves behind them, each with its place in the topic: from the ring, and what
  /// that does not hold any more from the journal. What neither has is left out. Some at a time.
  func scores(behind position: inout UInt64) -> [(sequence: UInt64, score: ScoreEvent)] {
    guard let (topic, ring) = rings.first(where: { $0.topic == .scores }) else { return [] }
    let observer = RingObserver(ring: ring), published = ring.progress.published
    let end = min(published, position + Self.scoresAtOnce)
    defer { position = max(position, end) }
    return (position..<max(position, end)).compactMap { sequence in
      do {
        if let (header, metadata) = try observer.event(at: sequence) {
          guard header.kind == .score else { return nil }
          return (sequence, try metadata.withUnsafeBytes { try ScoreEvent(decoding: $0) })
        }
        guard plan.scan.durability == .durable else { return nil }
        let history = try TopicHistory(
          folder: folder.journal(topic), mirror: folder.mirror(topic, plan), specification: plan.ring(topic))
        let event = try history.event(at: sequence, published: published)
        return event.header.kind == .score ? (sequence, try ScoreEvent(decoding: event.metadata)) : nil
      } catch {
        // Who needs it meets the damage, and says so.
        return nil
      }
    }
  }

  private static let scoresAtOnce: UInt64 = 256

  /// The updates that no ring holds any more, from the journals: the last `limit` of each worker.
  package func earlierUpdates(limit: Int) throws -> [UpdateEvent] {
    var updates: [UpdateEvent] = []
    for (topic, ring) in rings where topic.kind == .updates {
      try forEachEarlierEvent(of: topic, ring, limit: limit, .update) { updates.append(try UpdateEvent(decoding: $0)) }
    }
    return updates
  }

  /// The last `limit` scores that the ring does not hold any more, from the journal.
  package func earlierScores(limit: Int) throws -> [ScoreEvent] {
    var scores: [ScoreEvent] = []
    for (topic, ring) in rings where topic == .scores {
      try forEachEarlierEvent(of: topic, ring, limit: limit, .score) { scores.append(try ScoreEvent(decoding: $0)) }
    }
    return scores
  }

  /// The similarity at which the scan ends, and the projections before which no score ends it; nil where it does not
  /// end by itself.
  package var similarityGoal: (min: Double, projections: Int)? {
    plan.control.similarityMin.map { ($0, plan.control.endedFrom) }
  }

  private static func forEachEvent(
    of ring: Ring, from position: inout UInt64, _ kind: EventKind, _ body: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    let published = ring.progress.published
    let slots = UInt64(ring.specification.slotCount)
    let first = max(position, ring.specification.firstSequence, published - min(slots, published))
    let observer = RingObserver(ring: ring)
    for sequence in first..<max(first, published) {
      guard let (header, metadata) = try observer.event(at: sequence), header.kind == kind else { continue }
      try metadata.withUnsafeBytes { try body($0) }
    }
    position = max(first, published)
  }

  private func forEachEarlierEvent(
    of topic: Topic, _ ring: Ring, limit: Int, _ kind: EventKind, _ body: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    // What the ring does not hold: before it was made, and where nobody looked while it was passed over.
    let published = ring.progress.published, slots = UInt64(ring.specification.slotCount)
    let end = max(ring.specification.firstSequence, published - min(slots, published))
    guard plan.scan.durability == .durable, end > 0 else { return }
    let history = try TopicHistory(
      folder: folder.journal(topic), mirror: folder.mirror(topic, plan), specification: plan.ring(topic))
    for sequence in end - min(end, UInt64(limit))..<end {
      let event = try history.event(at: sequence, published: end)
      if event.header.kind == kind { try body(event.metadata) }
    }
  }
}
