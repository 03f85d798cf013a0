import Rings
import RunModel

/// Says what a frame of a stream is: whether it belongs to the scan and is new, what it shows, and at which theta.
struct FrameClassifier {
  /// A frame that is to be delivered.
  struct Verdict {
    /// `.projection`, `.flat` or `.dark`.
    let kind: EventKind
    /// Radians; 0 for flats and darks.
    let theta: Double
    /// The numbers right before the frame's that did not come.
    let lost: Range<UInt64>
  }

  private let configuration: LiveSource.Configuration

  /// Numbers that may follow the last expected frame where frames say what they are.
  private static let numberSlack: UInt64 = 1 << 20

  init(_ configuration: LiveSource.Configuration) { self.configuration = configuration }

  /// How many numbers behind the scan's last frame may be a frame's.
  func slack(for header: FrameHeader) -> UInt64 { header.key == nil ? 0 : Self.numberSlack }

  /// What a frame is, `number` frames behind the scan's first; `ledger` takes note of it. Nil for one that is only
  /// counted there: a duplicate, or one that the detector marked as invalid. Throws `.surplus` where the scan has all
  /// images of its kind.
  func classify(_ header: FrameHeader, number: UInt64, notingIn ledger: inout LossLedger) throws(MessageFault)
    -> Verdict?
  {
    precondition(number < UInt64(configuration.total) + slack(for: header), "frame \(number) is none of the scan")
    // A projection that was made may have its place.
    if configuration.fillsGaps, number < ledger.next {
      ledger.noteDuplicate()
      return nil
    }
    let arrival = ledger.note(frame: number)
    guard arrival != .duplicate else { return nil }
    guard let kind = kind(of: number, header.key) else {
      ledger.noteInvalid()
      return nil
    }
    let index = kind == .projection ? projectionIndex(number, isKeyed: header.key != nil, ledger) : 0
    guard ledger.taken(of: kind) < configuration.count(of: kind), index < configuration.thetas.count else {
      throw .surplus
    }
    let given = header.theta.map { configuration.usesRadians ? $0 : $0 * .pi / 180 }
    let theta = kind == .projection ? given ?? configuration.thetas[index] : 0
    guard case .new(let lost) = arrival else { return Verdict(kind: kind, theta: theta, lost: number..<number) }
    return Verdict(kind: kind, theta: theta, lost: lost)
  }

  /// What a frame is of; nil for one that is invalid.
  private func kind(of number: UInt64, _ key: ImageKey?) -> EventKind? {
    switch key {
    case .projection: .projection
    case .flat: .flat
    case .dark: .dark
    case .invalid: nil
    case nil:
      number < configuration.darks ? .dark : number < configuration.darks + configuration.flats ? .flat : .projection
    }
  }

  /// The number of a projection among the projections of the scan, lost ones included.
  private func projectionIndex(_ number: UInt64, isKeyed: Bool, _ ledger: LossLedger) -> Int {
    guard isKeyed else { return max(0, Int(number) - configuration.darks - configuration.flats) }
    // Fields in surplus are none of the scan's, but have numbers.
    let fields = ledger.darks + ledger.taken(of: .flat) + Int(ledger.malformed[MessageFault.surplus.rawValue])
    return max(0, Int(number) - fields - ledger.invalid)
  }
}
