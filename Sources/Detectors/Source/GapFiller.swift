import Host
import Rings
import RunModel

/// Puts the weighted mean of its neighbours in the place of every projection of a short gap, or what a program makes of
/// them.
///
/// ```
/// came         3              6          before and behind the gap
/// delivered    3   4*   5*    6          4* = ⅔ · 3 + ⅓ · 6,  5* = ⅓ · 3 + ⅔ · 6, thetas too
/// ```
final class GapFiller {
  /// A gap that is being filled: the projection before it, the one behind it, and the number in between that is next.
  private struct Gap {
    let before: (number: UInt64, theta: Double)
    let next: (image: SourceFrame.StreamImage, theta: Double)
    var number: UInt64
  }

  private let pixels: FramePixels
  /// The last image in the form of a slot, and the one behind a gap.
  private let (last, next): (UnsafeMutableRawBufferPointer, UnsafeMutableRawBufferPointer)
  private var hasNext = false
  /// Who is asked first; nil for nobody.
  var program: GapProgram?
  /// What the program gets of what came before a gap.
  private let history: ProjectionHistory
  /// What it made of the gap with this first number; nil where it made nothing.
  private var generated: (first: UInt64, images: UnsafeMutableRawBufferPointer)?
  /// Nil behind a flat or a dark.
  private var lastProjection: (number: UInt64, theta: Double)?
  private var gap: Gap?

  /// Gaps that are longer are not filled: neighbours so far apart say nothing of what was between them.
  private static let filledMax = 8

  init(_ pixels: FramePixels) {
    self.pixels = pixels
    history = ProjectionHistory(capacity: GapProgram.beforeMax, byteCount: pixels.byteCount)
    func buffer() -> UnsafeMutableRawBufferPointer { .allocate(byteCount: pixels.byteCount, alignment: 64) }
    (last, next) = (buffer(), buffer())
  }

  deinit {
    last.deallocate()
    next.deallocate()
    generated?.images.deallocate()
  }

  /// Takes note of an image that came behind the numbers `lost`, which did not; begins to fill them, where they are a
  /// short gap between two projections.
  func note(_ kind: EventKind, theta: Double, _ image: SourceFrame.StreamImage, behind lost: Range<UInt64>) {
    precondition(gap == nil, "image \(image.number) came while the gap before \(gap!.next.image.number) is filled")
    let before = lastProjection
    lastProjection = kind == .projection ? (image.number, theta) : nil
    if kind != .projection { history.forgetAll() }
    guard kind == .projection, !lost.isEmpty, lost.count <= Self.filledMax, let before,
      before.number + 1 == lost.lowerBound
    else { return }
    gap = Gap(before: before, next: (image, theta), number: lost.lowerBound)
  }

  /// The next projection of the gap that is being filled; behind the gap, or as soon as the scan has room for no more
  /// than that, the one that came. Nil where no gap is being filled.
  func nextProjection(hasRoom: Bool) -> (image: SourceFrame.StreamImage, theta: Double)? {
    guard let gap else { return nil }
    let next = gap.next.image
    guard gap.number < next.number, hasRoom else {
      self.gap = nil
      return gap.next
    }
    self.gap?.number += 1
    return (
      SourceFrame.StreamImage(
        number: gap.number, header: next.header, bytes: next.bytes, weight: Float(share(of: gap.number, in: gap))),
      theta(of: gap.number, in: gap)
    )
  }

  /// Leaves the gap as it is: the image behind it is damaged, and nothing is made of it.
  func abandon() { (gap, lastProjection) = (nil, nil) }

  /// The image behind the gap in the form of a slot, once a projection of the gap was written.
  var imageBehind: UnsafeRawBufferPointer? { hasNext ? UnsafeRawBufferPointer(next) : nil }

  /// Leaves the gap as it is, as the image behind it shows nothing: that one is what comes next.
  func passGap() { if let gap { self.gap?.number = gap.next.image.number } }

  /// The last image shows nothing: no gap is filled from it.
  func forgetLast() {
    if let lastProjection { history.forget(lastProjection.number) }
    lastProjection = nil
  }

  /// Writes an image into `target`, or with a weight below 1 what lies so far between the last projection and it; says
  /// which of them it was.
  func write(_ image: SourceFrame.StreamImage, into target: UnsafeMutableRawBufferPointer) throws(MessageFault)
    -> ProjectionOrigin
  {
    if image.weight < 1 {
      if !hasNext {
        try pixels.write(image, into: next)
        ask(from: image.number)
      }
      hasNext = true
      guard let generated else {
        mix(image.weight, into: target)
        return .interpolated
      }
      let place = Int(image.number - generated.first) * pixels.byteCount
      target.copyMemory(from: UnsafeRawBufferPointer(rebasing: generated.images[place..<place + pixels.byteCount]))
      return .generated
    }
    if hasNext {
      target.copyMemory(from: UnsafeRawBufferPointer(next))
      hasNext = false
    } else {
      try pixels.write(image, into: target)
    }
    last.copyMemory(from: UnsafeRawBufferPointer(target))
    if program != nil, let lastProjection, lastProjection.number == image.number {
      history.note(image.number, theta: lastProjection.theta, UnsafeRawBufferPointer(target))
    }
    return .measured
  }

  /// Asks the program for the rest of the gap, from a number on.
  private func ask(from first: UInt64) {
    generated?.images.deallocate()
    generated = nil
    guard let program, let gap else { return }
    let behind = GapProgram.Neighbour(
      number: gap.next.image.number, theta: gap.next.theta, bytes: UnsafeRawBufferPointer(next))
    let missing = (first..<behind.number).map { ($0, theta(of: $0, in: gap)) }
    let images = UnsafeMutableRawBufferPointer.allocate(
      byteCount: missing.count * pixels.byteCount, alignment: 64)
    guard program.fill(missing, before: history.neighbours, behind: behind, into: images) else {
      images.deallocate()
      return
    }
    generated = (first, images)
  }

  private func theta(of number: UInt64, in gap: Gap) -> Double {
    gap.before.theta + (gap.next.theta - gap.before.theta) * share(of: number, in: gap)
  }

  private func share(of number: UInt64, in gap: Gap) -> Double {
    Double(number - gap.before.number) / Double(gap.next.image.number - gap.before.number)
  }

  private func mix(_ weight: Float, into target: UnsafeMutableRawBufferPointer) {
    switch pixels.pixel {
    case .uint8: mix(weight, into: target, as: UInt8.self)
    case .uint16: mix(weight, into: target, as: UInt16.self)
    case .uint32: mix(weight, into: target, as: UInt32.self)
    case .float32:
      let (a, b, sum) = (
        last.assumingMemoryBound(to: Float.self), next.assumingMemoryBound(to: Float.self),
        target.assumingMemoryBound(to: Float.self)
      )
      for pixel in sum.indices { sum[pixel] = a[pixel] + (b[pixel] - a[pixel]) * weight }
    }
  }

  /// Counts, rounded to the nearest.
  private func mix<Count: FixedWidthInteger & UnsignedInteger>(
    _ weight: Float, into target: UnsafeMutableRawBufferPointer, as type: Count.Type
  ) {
    let (a, b, sum) = (
      last.assumingMemoryBound(to: type), next.assumingMemoryBound(to: type), target.assumingMemoryBound(to: type)
    )
    // Doubles hold every count exactly, and what lies between two counts rounds to a count.
    for pixel in sum.indices {
      sum[pixel] = Count((Double(a[pixel]) + (Double(b[pixel]) - Double(a[pixel])) * Double(weight)).rounded())
    }
  }
}
