import Foundation
import Host
import Rings
import ScanPlan
import Topics

/// The images of one topic, and which of them are flat and dark fields.
final class ImageTopic {
  private let observer: TopicObserver?
  private var (lookedAt, known) = (UInt64(0), [Field]())

  struct Field: Equatable {
    let sequence: UInt64
    let isFlat: Bool
  }

  /// Images at the beginning of a scan that are looked at for fields, and those at its end.
  private static let (first, last): (UInt64, UInt64) = (256, 64)

  /// A topic; nil for one that is not there.
  init(_ observer: TopicObserver?) { self.observer = observer }

  var published: UInt64 { observer?.published ?? 0 }
  func header(at sequence: UInt64) -> EventHeader? { observer?.header(at: sequence) }
  func image(at sequence: UInt64, rows: Range<Int>) -> Event? { observer?.image(at: sequence, rows: rows) }

  /// The fields among the first images, and with `total` images in all among the last, as far as they are there.
  func fields(total: Int) -> [Field] {
    let published = published, lastFrom = UInt64(max(0, total - Int(Self.last)))
    while lookedAt < published {
      if lookedAt >= Self.first, lookedAt < lastFrom {
        lookedAt = min(lastFrom, published)
        continue
      }
      guard known.count < 2 * Int(Self.first) else { break }
      switch header(at: lookedAt)?.kind {
      case .flat: known.append(Field(sequence: lookedAt, isFlat: true))
      case .dark: known.append(Field(sequence: lookedAt, isFlat: false))
      default: break
      }
      lookedAt += 1
    }
    return known
  }
}

/// Pixels that are taken of an image: one in so many along a side.
struct ImagePicks: Equatable {
  let rows: [Int]
  let columns: [Int]
  private let width: Int

  /// At most `edgeMax` of `rows` × `columns` along a side, as many from each other along both.
  init(rows: Int, columns: Int, edgeMax: Int) {
    precondition(rows > 0 && columns > 0 && edgeMax > 0, "\(rows) × \(columns), \(edgeMax) at most")
    let step = (max(rows, columns) + edgeMax - 1) / edgeMax
    self.rows = Array(stride(from: min(step / 2, rows - 1), to: rows, by: step))
    self.columns = Array(stride(from: min(step / 2, columns - 1), to: columns, by: step))
    width = columns
  }

  /// Those of one row.
  init(row: Int, columns: Int, edgeMax: Int) {
    let whole = ImagePicks(rows: 1, columns: columns, edgeMax: edgeMax)
    (rows, self.columns, width) = ([row], whole.columns, columns)
  }

  /// Line by line; nil where the event is no image of this width.
  func values(of event: Event) -> [Float]? {
    guard let type = event.header.pixel, Int(event.header.columns) == width, let last = rows.last,
      last < Int(event.header.rows), event.payload.count >= (last + 1) * width * type.byteCount
    else { return nil }
    func taken(_ value: (Int) -> Float) -> [Float] {
      rows.flatMap { row in columns.map { value(row * width + $0) } }
    }
    let bytes = event.payload
    return switch type {
    case .uint8: taken { Float(bytes[$0]) }
    case .uint16: taken { Float(bytes.loadUnaligned(fromByteOffset: 2 * $0, as: UInt16.self)) }
    case .uint32: taken { Float(bytes.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self)) }
    case .float32: taken { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
    }
  }
}

/// Means of the flat and dark fields at some pixels, read field by field. A picture needs no more than some of each.
struct ImageFields {
  private let topic: ImageTopic
  private let total: Int
  private let (minusLog, needsFlats): (Bool, Bool)
  private let countMax: Int
  private var taken: [ImageTopic.Field] = []
  private var (flat, dark) = (PixelMeans(), PixelMeans())

  /// So many flats and as many darks, and so many bytes of them, are read.
  private static let (each, byteCountMax) = (8, 64 << 20)

  /// Of the images that are reconstructed.
  init(_ topic: ImageTopic, _ plan: RunPlan, rows: Int? = nil) {
    self.topic = topic
    total = plan.shape.projections + plan.shape.flatsAndDarks
    (minusLog, needsFlats) = (plan.minusLog, plan.minusLog && plan.shape.flats > 0)
    let byteCount = (rows ?? plan.shape.rows) * plan.shape.columns * MemoryLayout<Float>.size
    countMax = min(Self.each, max(1, Self.byteCountMax / 2 / max(1, byteCount)))
  }

  /// Reads fields until `deadline`, at least one of those that are missing; whether enough is there to correct with.
  mutating func take(_ picks: ImagePicks, until deadline: ContinuousClock.Instant) -> Bool {
    var isFirst = true
    for field in topic.fields(total: total) where !taken.contains(field) {
      guard taken.count(where: { $0.isFlat == field.isFlat }) < countMax else { continue }
      guard isFirst || .now < deadline else { return false }
      isFirst = false
      let rows = (picks.rows.first ?? 0)..<(picks.rows.last ?? 0) + 1
      // One that cannot be read is not asked for again.
      taken.append(field)
      guard let event = topic.image(at: field.sequence, rows: rows), let values = picks.values(of: event) else {
        continue
      }
      if field.isFlat { flat.add(values) } else { dark.add(values) }
    }
    return !needsFlats || !flat.isEmpty
  }

  /// How many fields it has; what is corrected changes with it.
  var count: Int { taken.count }

  /// Corrects values at the same pixels; NaN where that cannot be done.
  func correct(_ values: inout [Float]) {
    for index in values.indices {
      let zero = dark.isEmpty ? 0 : dark[index], one = flat.isEmpty ? 1 : flat[index]
      let transmission = (values[index] - zero) / (one - zero)
      let value = minusLog ? -logf(transmission) : transmission
      values[index] = value.isFinite ? value : .nan
    }
  }
}

/// Means of finite values, pixel by pixel.
private struct PixelMeans {
  private var (sums, counts) = ([Double](), [Int32]())

  var isEmpty: Bool { sums.isEmpty }
  subscript(index: Int) -> Float { Float(sums[index] / Double(counts[index])) }

  mutating func add(_ values: [Float]) {
    if isEmpty {
      sums = [Double](repeating: 0, count: values.count)
      counts = [Int32](repeating: 0, count: values.count)
    }
    precondition(values.count == sums.count, "a field of \(values.count) pixels among those of \(sums.count)")
    for index in values.indices where values[index].isFinite {
      sums[index] += Double(values[index])
      counts[index] += 1
    }
  }
}
