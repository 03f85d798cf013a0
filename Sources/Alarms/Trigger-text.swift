import Host

// A trigger as it is written.
extension Trigger {
  /// For people.
  package static let form = "NAME,watch=GAUGE,model=MODEL[,for=TIME][,then=ACTION+…][,severity=WORD]"
  private static let (nameMax, recordMax, actionsMax) = (32, 512, 6)
  /// Below it there is nothing to see, and no number with an exponent to be written.
  private static let secondsMin = 0.001

  /// What is wrong with a record.
  package struct Mistake: Error, Equatable, CustomStringConvertible {
    /// To follow the record in a sentence.
    package let description: String

    /// A mistake in words.
    package init(description: String) { self.description = description }
  }

  /// Reads a record.
  package init(parsing text: String) throws(Mistake) {
    guard text.utf8.count <= Self.recordMax else { throw Mistake(description: "it is longer than \(Self.recordMax) B") }
    var fields: [String: String] = [:]
    for (number, part) in text.split(separator: ",", omittingEmptySubsequences: false).enumerated() {
      let words = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      let (key, value) = words.count == 2 ? (words[0], words[1]) : ("name", words[0])
      guard words.count == 2 || number == 0 else { throw Mistake(description: "\(part) is not KEY=VALUE") }
      guard ["name", "watch", "model", "for", "then", "severity"].contains(key) else {
        throw Mistake(description: "it has no \(key)=; it has watch, model, for, then and severity")
      }
      guard fields.updateValue(value, forKey: key) == nil else { throw Mistake(description: "\(key) is there twice") }
    }
    guard let name = fields["name"], (1...Self.nameMax).contains(name.utf8.count), Self.isName(name), name != "none"
    else {
      throw Mistake(description: "its name is not 1 to \(Self.nameMax) small letters, digits and dashes, or it is none")
    }
    guard let gauge = Gauge(rawValue: fields["watch"] ?? "") else {
      throw Mistake(description: "watch is not one of \(Gauge.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    guard let word = fields["model"], let model = Model(word) else { throw Mistake(description: Model.mistake) }
    self.init(name, gauge, model)
    if let word = fields["for"] {
      guard let seconds = Self.seconds(word), seconds <= 3600 else {
        throw Mistake(description: "for=\(word) is no time up to an hour, as in 10s or 2m")
      }
      self.seconds = seconds
    }
    if let words = fields["then"] {
      actions = []
      for word in words.split(separator: "+", omittingEmptySubsequences: false) {
        guard let action = Action(String(word)), !actions.contains(action), actions.count < Self.actionsMax else {
          throw Mistake(
            description: "then=\(word) is not log, notify, hook:/PATH, finalize, widen or pause-windows, each once")
        }
        actions.append(action)
      }
    }
    if let word = fields["severity"] {
      guard let severity = Severity(rawValue: word) else {
        throw Mistake(description: "severity=\(word) is not notice, warning or critical")
      }
      self.severity = severity
    }
    // An event has so much room for it as it is written there: an hour is 3600s.
    guard self.text.utf8.count <= Self.recordMax else {
      throw Mistake(description: "it is longer than \(Self.recordMax) B, with its times in seconds")
    }
  }

  /// As it is written.
  package var text: String {
    var text = "\(name),watch=\(gauge.rawValue),model=\(model.text)"
    if seconds > 0 { text += ",for=\(Self.text(seconds: seconds))" }
    if actions != [.notify] { text += ",then=\(actions.map(\.text).joined(separator: "+"))" }
    if severity != .warning { text += ",severity=\(severity.rawValue)" }
    return text
  }

  /// Paths of the programs that it needs.
  package var programs: [String] {
    var programs = actions.compactMap { action in if case .hook(let path) = action { path } else { nil } }
    if case .program(let path) = model { programs.append(path) }
    return programs
  }

  private static func isName(_ text: String) -> Bool {
    text.utf8.allSatisfy { UInt8(ascii: "a")...UInt8(ascii: "z") ~= $0 || 48...57 ~= $0 || $0 == UInt8(ascii: "-") }
  }

  /// `500ms`, `10s`, `2m` or `1h`.
  static func seconds(_ word: String) -> Double? {
    let units = [("ms", 0.001), ("s", 1.0), ("m", 60), ("h", 3600)]
    guard let unit = units.first(where: { word.hasSuffix($0.0) }),
      let number = Double(digits: word.dropLast(unit.0.count)), number * unit.1 >= secondsMin
    else { return nil }
    return number * unit.1
  }

  static func text(seconds: Double) -> String { "\(number(seconds))s" }

  static func number(_ value: Double) -> String {
    value == value.rounded() && abs(value) < 1e15 ? "\(Int(value))" : "\(value)"
  }
}

extension Trigger.Model {
  static let mistake =
    "model is not threshold:>LIMIT, ewma:5, cusum:<20, holt:30s>LIMIT, quantile:0.99 or program:/PATH; > and < say "
    + "which way is wrong, LIMIT is a number, lag-max or disk-buffer"
  private static let scoreMax = 1e6

  init?(_ text: String) {
    let words = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    guard words.count == 2, !words[1].isEmpty else { return nil }
    let rest = words[1]
    switch words[0] {
    case "threshold":
      guard let (before, side, limit) = Self.comparison(rest), before.isEmpty else { return nil }
      self = .threshold(side, limit)
    case "ewma", "cusum":
      let side = AlarmSide(rawValue: String(rest.prefix { "<>".contains($0) })) ?? .both
      guard let limit = Double(written: rest.dropFirst(side.rawValue.count)), limit > 0, limit <= Self.scoreMax else {
        return nil
      }
      self = words[0] == "ewma" ? .ewma(side, limit) : .cusum(side, limit)
    case "holt":
      guard let (before, side, limit) = Self.comparison(rest), let seconds = Trigger.seconds(before), seconds <= 86_400
      else { return nil }
      self = .holt(seconds: seconds, side, limit)
    case "quantile":
      guard let quantile = Double(written: rest), quantile > 0, quantile < 1 else { return nil }
      self = .quantile(quantile)
    case "program":
      guard rest.hasPrefix("/") else { return nil }
      self = .program(rest)
    default: return nil
    }
  }

  private static func comparison(_ text: String) -> (before: String, side: AlarmSide, limit: Trigger.Limit)? {
    guard let place = text.firstIndex(where: { "<>".contains($0) }) else { return nil }
    let word = String(text[text.index(after: place)...])
    let number = Double(written: word).map { Trigger.Limit.number($0) }
    guard let limit = number ?? Trigger.LimitName(rawValue: word).map({ .named($0) }) else { return nil }
    return (String(text[..<place]), text[place] == ">" ? .above : .below, limit)
  }

  var text: String {
    switch self {
    case .threshold(let side, let limit): "threshold:\(side.rawValue)\(limit.text)"
    case .ewma(let side, let limit): "ewma:\(side.rawValue)\(Trigger.number(limit))"
    case .cusum(let side, let limit): "cusum:\(side.rawValue)\(Trigger.number(limit))"
    case .holt(let seconds, let side, let limit): "holt:\(Trigger.text(seconds: seconds))\(side.rawValue)\(limit.text)"
    case .quantile(let quantile): "quantile:\(quantile)"
    case .program(let path): "program:\(path)"
    }
  }
}

extension Trigger.Limit {
  var text: String {
    switch self {
    case .number(let number): Trigger.number(number)
    case .named(let name): name.rawValue
    }
  }
}

extension Trigger.Action {
  init?(_ text: String) {
    switch text {
    case "log": self = .log
    case "notify": self = .notify
    case "finalize": self = .finalize
    case "widen": self = .widen
    case "pause-windows": self = .pauseWindows
    default:
      guard text.hasPrefix("hook:/") else { return nil }
      self = .hook(String(text.dropFirst("hook:".count)))
    }
  }

  var text: String {
    switch self {
    case .log: "log"
    case .notify: "notify"
    case .hook(let path): "hook:\(path)"
    case .finalize: "finalize"
    case .widen: "widen"
    case .pauseWindows: "pause-windows"
    }
  }
}
