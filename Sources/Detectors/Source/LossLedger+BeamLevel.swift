import Host
import Rings
import RunModel
import Tomography

extension LossLedger {
  /// Whether an image that came shows nothing, by what the fields before it say (`level`), and is to be left out; takes
  /// note of that, and of how bright a field is that is not. A function of the images alone.
  mutating func leavesOut(
    _ kind: EventKind, frame: UInt64, _ pixels: UnsafeRawBufferPointer, type: PixelType, _ level: BeamLevel
  ) -> Bool {
    let total = ImageTotal(pixels, type: type)
    let isEmpty =
      switch kind {
      case .flat: level.isEmpty(flat: total)
      case .projection: level.isEmpty(projection: total)
      default: false
      }
    if isEmpty {
      noteEmpty(kind, frame: frame)
    } else if kind != .projection {
      noteField(kind, total: total.sum)
    }
    return isEmpty
  }
}
