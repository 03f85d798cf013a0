import Host
import Rings
import RunModel
import Topics

/// One view on its way to its topic. What was written last says where it is: a successor goes on there, and no item
/// comes twice or is left out.
struct JoinLane {
  private let record: ViewRecord
  private var join: any ViewJoin
  private let writer: TopicWriter
  /// By worker, where rows are copied.
  private let copies: [Int: CopiedRows]
  private let claimNext: (TopicWriter) throws -> Claim?
  /// What comes next: no items, and the cursors behind those that were written.
  private var next: ViewEvent
  /// An item that had no room in the event before.
  private var carried: [ViewEvent.Pointer]?
  /// Whether the view's end is written, or nothing more can be.
  private var isOver: Bool

  /// Goes on behind what a predecessor wrote; `makeJoin` gets where that is. `claim` waits for room, and gives nil
  /// where the stage is to end.
  init(
    _ record: ViewRecord, writer: TopicWriter, copies: [Int: CopiedRows],
    claim: @escaping (TopicWriter) throws -> Claim?, makeJoin: (ViewEvent) throws -> any ViewJoin
  ) throws {
    (self.record, self.writer, self.copies, claimNext) = (record, writer, copies, claim)
    let last = try writer.newestWhole()
    next = try last.map { try $0.metadata.withUnsafeBytes { try ViewEvent(decoding: $0) }.following } ?? ViewEvent()
    isOver = last?.header.kind == .end
    join = try makeJoin(next)
  }

  /// Writes what there is, some events at most; whether it may have more to do.
  mutating func turn() throws -> Bool {
    guard !isOver else { return false }
    var event = next
    while true {
      let before = (join.cursors, join.lost)
      let step = try carried.map { JoinStep.item($0) } ?? join.next()
      carried = nil
      switch step {
      case .item(let item) where !copies.isEmpty:
        (event.cursors, event.lost) = (join.cursors, join.lost)
        return try appendCopied(item, &event)
      case .item(let item):
        if !event.hasRoom(for: item) {
          guard !event.items.isEmpty else {
            event.dropped += 1
            continue
          }
          (event.cursors, event.lost) = before
          carried = item
          return try append(event)
        }
        event.items.append(item)
        (event.cursors, event.lost) = (join.cursors, join.lost)
      case .dropped: event.dropped += 1
      case .busy:
        return event.items.isEmpty ? keep(event) : try append(event)
      case .nothing:
        if !event.items.isEmpty { return try append(event) }
        _ = keep(event)
        if join.hasEnded { try end() }
        return false
      }
    }
  }

  /// Takes over what was left out without writing it: it is found again.
  private mutating func keep(_ event: ViewEvent) -> Bool {
    next = event
    (next.cursors, next.lost) = (join.cursors, join.lost)
    return true
  }

  private mutating func append(
    _ event: ViewEvent, kind: EventKind = .view, _ voxels: UnsafeRawBufferPointer? = nil, edge: Int = 0
  ) throws -> Bool {
    guard let claim = try claimNext(writer) else {
      // What the join gave is not written, so nothing that follows may be: a successor finds it again.
      isOver = true
      return false
    }
    var fields = EventFields(
      kind: kind, acquiredAt: Machine.realtimeNanoseconds, metadataByteCount: event.encode(into: claim.metadata))
    if let voxels {
      claim.payload.copyMemory(from: voxels)
      fields = EventFields(
        kind: kind, acquiredAt: fields.acquiredAt, payloadByteCount: voxels.count,
        metadataByteCount: fields.metadataByteCount, rows: voxels.count / (edge * 4), columns: edge, pixel: .float32)
    }
    try writer.commit(claim, fields)
    next = event.following
    return true
  }

  /// Writes an item with voxels of its update's volume, while that has them and the store has room.
  private mutating func appendCopied(_ item: [ViewEvent.Pointer], _ event: inout ViewEvent) throws -> Bool {
    guard let update = item.last, let copy = copies[Int(update.partition)] else {
      preconditionFailure("an item of \(record.name) without an update")
    }
    let pointer = ViewEvent.Pointer(
      topic: update.topic, partition: update.partition, sequence: update.sequence, side: .copied, rows: copy.rows,
      generation: update.generation)
    guard event.hasRoom(for: item + [pointer]), let voxels = copy.take(generation: update.generation),
      event.stored + UInt64(voxels.count) <= UInt64(record.storeMax)
    else {
      event.dropped += 1
      return keep(event)
    }
    event.stored += UInt64(voxels.count)
    event.items = [item + [pointer]]
    return try append(event, voxels, edge: copy.columns)
  }

  private mutating func end() throws {
    guard try append(next, kind: .end) else { return }
    isOver = true
    try writer.flush()
  }
}
