import RunModel

/// Something that goes wrong in a rehearsal, and when: `at 2s: link down 3s`.
package struct RehearsalFault: Equatable, Sendable {
  /// What goes wrong.
  enum Action: Equatable, Sendable {
    /// The link carries nothing for so many seconds; the connection stays.
    case linkDown(seconds: Double)
    /// Its connections are closed, and new ones as well for so many seconds.
    case linkClosed(seconds: Double)
    /// From now on it carries so many bytes a second at most.
    case linkRate(bytesPerSecond: Double)
    /// From now on it carries what comes.
    case linkFree
    /// The disk has no room for so many seconds.
    case diskFull(seconds: Double)
    /// The detector measures and sends nothing for so many seconds.
    case detectorPause(seconds: Double)
    /// A stage's process is killed; nil for one that the seed chooses.
    case kill(StageName?)
    /// All processes of the run are killed and its shared memory goes; then it is resumed.
    case machine
  }

  /// Seconds from the first frame that was taken.
  let time: Double
  /// What goes wrong then.
  let action: Action
  /// Both, as they were written.
  let text: String

  static let forms =
    "link down DURATION, link closed DURATION, link RATE, link free, disk full DURATION, detector pause DURATION, "
    + "kill STAGE, kill any or machine"

  /// Reads the moment, as in `at 2s`, and what happens then; nil where one of them is neither.
  init?(moment: String, action: String) {
    let words = moment.split(separator: " ").map(String.init)
    guard words.count == 2, words[0] == "at", let time = PlanWords.seconds(words[1]),
      let read = Self.action(action.split(separator: " ").map(String.init))
    else { return nil }
    (self.time, self.action) = (time, read)
    text = "at \(words[1]): " + action.split(separator: " ").joined(separator: " ")
  }

  private static func action(_ words: [String]) -> Action? {
    if words == ["machine"] { return .machine }
    if words == ["link", "free"] { return .linkFree }
    if words.count == 2, words[0] == "link" { return PlanWords.rate(words[1]).map { .linkRate(bytesPerSecond: $0) } }
    if words.count == 2, words[0] == "kill" {
      if words[1] == "any" { return .kill(nil) }
      return StageName(parsing: words[1]).map { .kill($0) }
    }
    guard words.count == 3, let seconds = PlanWords.seconds(words[2]), seconds > 0 else { return nil }
    return switch words[0...1].joined(separator: " ") {
    case "link down": .linkDown(seconds: seconds)
    case "link closed": .linkClosed(seconds: seconds)
    case "disk full": .diskFull(seconds: seconds)
    case "detector pause": .detectorPause(seconds: seconds)
    default: nil
    }
  }
}
