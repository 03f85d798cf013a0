/// What a live source has to say, for people.
package enum SourceNotice: Equatable, Sendable {
  /// What is sent there will be taken from here on.
  case listening(to: String)
  /// The sender is gone; it is looked for.
  case disconnected
  /// A message was dropped, `count` for the same fault so far; what is known of it beyond the fault.
  case dropped(MessageFault, detail: String?, count: Int)
  /// A series began, of which the scan will be.
  case announced(series: UInt64)
  /// The first frame of the scan came: `number` is its own, and the rest what it says of the scan.
  case began(SourceOrigin, number: UInt64)
  /// Another series began before all of the scan came, which it ends.
  case interrupted(by: UInt64)
  /// What was assumed of what is watched, and what of it is not used.
  case remark(String)
  /// What is not tried any more in this process's life, and what is done instead.
  case gaveUp(String)
  /// The first frame that shows nothing, and is left out as all others will be.
  case empty(frame: UInt64)

  /// The notice in words.
  package var words: String {
    switch self {
    case .listening(let peer): "listening to \(peer)"
    case .announced(let series): "series \(series) begins"
    case .began(let origin, let number):
      "the first frame that came has number \(number); the scan begins with \(origin.firstFrame ?? number)"
        + (origin.series.map { " of series \($0)" } ?? "")
    case .interrupted(let next): "series \(next) began before all of the scan came, which it ends"
    case .remark(let words), .gaveUp(let words): words
    case .disconnected: "the sender is gone; looking for it"
    case .empty(let frame):
      "frame \(frame) is empty (zero, or no brighter than the dark field) and is left out, as all such frames are"
    case .dropped(let fault, let detail, _): "dropped a message: \(fault.name)" + (detail.map { " (\($0))" } ?? "")
    }
  }
}
