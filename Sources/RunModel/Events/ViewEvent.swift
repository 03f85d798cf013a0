import Rings

/// Items of a view, and where it is after them: what `join` writes to `views.V`, at once or not at all. Its last event,
/// the `end`, has no items.
///
/// ```
/// metadata (64 + 32 c + 8 i + 40 p B, little-endian)
///    0  number of the first item u64      8  items left out so far u64
///   16  bytes of voxels so far u64       24  events so far of what is joined that are lost u64
///   32  cursors u16 (c), items u16 (i), pointers of all items u16 (p), 0 u16        40  zeros
///   64  of each topic that is joined     topic u32, partition u32, next sequence u64
///                                        an image u64 and its ordinal u64: none before it is needed any more
///       of each item                     pointers u16, zeros
///       of each pointer                  topic u32, partition u32, first sequence u64, events u32
///                                        side u16 (1 from, 2 with, 3 copied), 0 u16
///                                        first row u32, rows u32, generation u64: of an update, else 0
/// payload
///       of an item with copied voxels, alone in its event: rows × columns × columns f32; lines in the header
/// ```
package struct ViewEvent: Equatable, Sendable {
  /// Where a view is in one of the topics that it joins.
  package struct Cursor: Equatable, Sendable {
    /// The topic, and its partition.
    package let (topic, partition): (UInt32, UInt32)
    /// The event that comes next.
    package var next: UInt64
    /// An image, by its sequence and by its number among the projections; nobody needs one before it any more.
    package var image: (sequence: UInt64, ordinal: UInt64) = (0, 0)

    /// A cursor as given.
    package init(topic: UInt32, partition: UInt32, next: UInt64, image: (sequence: UInt64, ordinal: UInt64) = (0, 0)) {
      (self.topic, self.partition, self.next, self.image) = (topic, partition, next, image)
    }

    /// Whether all of both is the same.
    package static func == (left: Self, right: Self) -> Bool {
      (left.topic, left.partition, left.next) == (right.topic, right.partition, right.next) && left.image == right.image
    }

    static let byteCount = 32
  }

  /// What a pointer is in the item.
  package enum Side: UInt16, Sendable {
    /// One of the view's `from`.
    case from = 1
    /// One of its `with`.
    case with
    /// Voxels that are in the view's own event.
    case copied
  }

  /// Events that follow each other in their topic.
  package struct Pointer: Equatable, Sendable {
    /// The topic, and its partition.
    package let (topic, partition): (UInt32, UInt32)
    /// The first event.
    package let sequence: UInt64
    /// How many there are.
    package internal(set) var count: UInt32
    /// What they are in the item.
    package let side: Side
    /// Of an update or of copied voxels, the rows; none of anything else.
    package let rows: Range<Int>
    /// Of these the generation of the volume.
    package let generation: UInt64

    /// A pointer as given.
    package init(
      topic: UInt32, partition: UInt32, sequence: UInt64, count: UInt32 = 1, side: Side, rows: Range<Int> = 0..<0,
      generation: UInt64 = 0
    ) {
      (self.topic, self.partition, self.sequence, self.count) = (topic, partition, sequence, count)
      (self.side, self.rows, self.generation) = (side, rows, generation)
    }

    /// Takes another one in where it goes on behind this one.
    package mutating func extend(by next: Pointer) -> Bool {
      let goesOn =
        next.topic == topic && next.partition == partition && next.side == side && rows.isEmpty && next.rows.isEmpty
        && next.sequence == sequence + UInt64(count)
      if goesOn { count += next.count }
      return goesOn
    }

    static let byteCount = 40
  }

  /// The number of the first item.
  package var firstItem: UInt64 = 0
  /// Items that were left out so far.
  package var dropped: UInt64 = 0
  /// Bytes of voxels so far, with those of this event.
  package var stored: UInt64 = 0
  /// Events so far of what is joined that were given up.
  package var lost: UInt64 = 0
  /// Where it goes on behind its items.
  package var cursors: [Cursor] = []
  /// Of each item its pointers.
  package var items: [[Pointer]] = []

  private static let (fixedByteCount, itemByteCount) = (64, 8)
  /// More topics than a run has workers.
  private static let cursorsMax = 40
  /// The most metadata, with room for the checksums of a payload's bands.
  package static let byteCountMax = EventHeader.metadataCapacity - 512

  /// Where a view begins.
  package init() {}

  /// The number of the item behind its last one.
  package var nextItem: UInt64 { firstItem + UInt64(items.count) }

  private var byteCount: Int {
    Self.fixedByteCount + cursors.count * Cursor.byteCount + items.count * Self.itemByteCount
      + items.reduce(0) { $0 + $1.count } * Pointer.byteCount
  }

  /// Whether one more item has room.
  package func hasRoom(for item: [Pointer]) -> Bool {
    byteCount + Self.itemByteCount + item.count * Pointer.byteCount <= Self.byteCountMax
  }

  /// The same place without items.
  package var following: ViewEvent {
    var next = self
    (next.firstItem, next.items) = (nextItem, [])
    return next
  }

  /// Writes the event into a slot's metadata; returns the bytes used.
  package func encode(into metadata: UnsafeMutableRawBufferPointer) -> Int {
    precondition(byteCount <= Self.byteCountMax && cursors.count <= Self.cursorsMax, "\(self) has no room")
    for (place, value) in [firstItem, dropped, stored, lost].enumerated() { metadata.store(value, at: 8 * place) }
    for offset in [40, 48, 56] { metadata.store(UInt64(0), at: offset) }
    let counts = [cursors.count, items.count, items.reduce(0) { $0 + $1.count }, 0]
    for (place, value) in counts.enumerated() { metadata.store(UInt16(value), at: 32 + 2 * place) }
    var offset = Self.fixedByteCount
    for cursor in cursors {
      metadata.store(cursor.topic, at: offset)
      metadata.store(cursor.partition, at: offset + 4)
      metadata.store(cursor.next, at: offset + 8)
      metadata.store(cursor.image.sequence, at: offset + 16)
      metadata.store(cursor.image.ordinal, at: offset + 24)
      offset += Cursor.byteCount
    }
    for item in items {
      metadata.store(UInt64(item.count), at: offset)
      offset += Self.itemByteCount
    }
    for pointer in items.joined() {
      metadata.store(pointer.topic, at: offset)
      metadata.store(pointer.partition, at: offset + 4)
      metadata.store(pointer.sequence, at: offset + 8)
      metadata.store(pointer.count, at: offset + 16)
      metadata.store(UInt32(pointer.side.rawValue), at: offset + 20)
      metadata.store(UInt32(pointer.rows.lowerBound), at: offset + 24)
      metadata.store(UInt32(pointer.rows.count), at: offset + 28)
      metadata.store(pointer.generation, at: offset + 32)
      offset += Pointer.byteCount
    }
    let written = UnsafeRawBufferPointer(rebasing: metadata[..<offset])
    assert((try? Self(decoding: written)) == self, "\(self) does not read back")
    return offset
  }

  /// Reads an event back; throws where a field has no meaning.
  package init(decoding metadata: UnsafeRawBufferPointer) throws(EventError) {
    let start = UnsafeRawBufferPointer(rebasing: metadata.prefix(Self.fixedByteCount))
    let fixed = try MetadataFields(start, byteCount: Self.fixedByteCount, of: "view")
    let (cursorCount, itemCount, pointerCount) = (
      Int(fixed.u16(at: 32)), Int(fixed.u16(at: 34)), Int(fixed.u16(at: 36))
    )
    guard cursorCount <= Self.cursorsMax, metadata.count <= Self.byteCountMax else {
      throw .malformed("view of \(cursorCount) topics in \(metadata.count) B")
    }
    let itemOffset = Self.fixedByteCount + cursorCount * Cursor.byteCount
    let pointerOffset = itemOffset + itemCount * Self.itemByteCount
    let fields = try MetadataFields(
      metadata, byteCount: pointerOffset + pointerCount * Pointer.byteCount, of: "view")
    firstItem = UInt64(try fields.count(at: 0, "item"))
    dropped = UInt64(try fields.count(at: 8, "items left out"))
    stored = UInt64(try fields.count(at: 16, limit: 1 << 60, "bytes"))
    lost = UInt64(try fields.count(at: 24, "lost events"))
    for place in 0..<cursorCount {
      let offset = Self.fixedByteCount + place * Cursor.byteCount
      cursors.append(
        Cursor(
          topic: fields.u32(at: offset), partition: fields.u32(at: offset + 4),
          next: UInt64(try fields.count(at: offset + 8, "next event")),
          image: (
            UInt64(try fields.count(at: offset + 16, "image")), UInt64(try fields.count(at: offset + 24, "ordinal"))
          )))
    }
    var next = 0
    for place in 0..<itemCount {
      let count = try fields.count(at: itemOffset + place * Self.itemByteCount, limit: UInt64(pointerCount), "pointers")
      guard count > 0, next + count <= pointerCount else { throw .malformed("item with \(count) pointers") }
      var item: [Pointer] = []
      for number in next..<next + count {
        item.append(try Self.pointer(fields, at: pointerOffset + number * Pointer.byteCount))
      }
      items.append(item)
      next += count
    }
    guard next == pointerCount else { throw .malformed("view with \(pointerCount) pointers, \(next) of them of items") }
  }

  private static func pointer(_ fields: MetadataFields, at offset: Int) throws(EventError) -> Pointer {
    let side = fields.u32(at: offset + 20), count = fields.u32(at: offset + 16)
    guard side <= 3, let side = Side(rawValue: UInt16(side)), count > 0, count <= 1 << 20 else {
      throw .malformed("pointer to \(count) events on side \(side)")
    }
    let row = Int(fields.u32(at: offset + 24)), rows = Int(fields.u32(at: offset + 28))
    guard row <= 1 << 20, rows <= 1 << 20 else { throw .malformed("pointer to \(rows) rows") }
    return Pointer(
      topic: fields.u32(at: offset), partition: fields.u32(at: offset + 4),
      sequence: UInt64(try fields.count(at: offset + 8, "event")), count: count, side: side, rows: row..<row + rows,
      generation: fields.u64(at: offset + 32))
  }
}
