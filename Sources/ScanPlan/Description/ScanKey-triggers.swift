import Alarms
import Host

// What a run is watched for.
extension ScanKey {
  static let triggers = [
    ScanKey(
      .control, "trigger", \.trigger,
      """
      Tells people, or does more, when a figure of the run is not as it should be or will not be, as in \
      slow,watch=rate,model=threshold:<5,then=notify; can be given several times. A name of the standard set replaces \
      that trigger, none leaves the set out.
      """,
      unset: "the standard set where the source does not wait, else nothing", .triggers)
  ]
}

/// What a run is watched for, in its order: records with blanks between them.
package struct TriggerRecords: ScanValue {
  /// As it is written on the command line and in scan.yaml.
  package let scanText: String
  fileprivate static let countMax = 32
  /// The word that leaves the standard set out.
  static let none = "none"

  /// For people.
  package static var form: String {
    "up to \(countMax) records \(Trigger.form) without blanks, each name once; or none"
  }

  /// Words with blanks between them, whether they are records or not.
  package init?(scanText: String) {
    self.scanText = scanText.split(separator: " ").joined(separator: " ")
    if self.scanText.isEmpty { return nil }
  }

  private var words: [String] { scanText.split(separator: " ").map(String.init) }

  /// What is wrong where no update would ever be made again.
  fileprivate var pauseProblem: String? {
    (try? triggers)?.first(where: \.pausesItself).map {
      "has \($0.name), whose alarm would never end: without updates watch=\($0.gauge.rawValue) has nothing new; take "
        + "widen in place of pause-windows"
    }
  }

  fileprivate var saysNoneTwice: Bool { words.count { $0 == Self.none } > 1 }

  /// Whether the standard set is left out.
  var isAlone: Bool { words.contains(Self.none) }

  /// What the words are. Throws where one is no record.
  var triggers: [Trigger] {
    get throws(Trigger.Mistake) {
      var triggers: [Trigger] = []
      for word in words where word != Self.none {
        do throws(Trigger.Mistake) { triggers.append(try Trigger(parsing: word)) } catch {
          throw Trigger.Mistake(description: "\(word.prefix(60)): \(error)")
        }
      }
      return triggers
    }
  }
}

extension ScanLimit where Value == TriggerRecords {
  /// Records, no name twice.
  static var triggers: ScanLimit {
    let others = named(TriggerRecords.form, countMax: TriggerRecords.countMax) { try $0.triggers.map(\.name) }
    return ScanLimit(form: others.form) { records in
      if records.saysNoneTwice { return "is not \(others.form): none is there twice" }
      return others.problem(records) ?? records.pauseProblem
    }
  }
}

extension ScanLimit {
  /// At most so many records of a form, no name twice; `names` throws what is wrong with one.
  static func named(
    _ form: String, countMax: Int, _ names: @escaping @Sendable (Value) throws -> [String]
  ) -> ScanLimit {
    ScanLimit(form: form) { records in
      do {
        let names = try names(records)
        guard names.count <= countMax else { return "is not \(form): they are \(names.count)" }
        let twice = names.indices.first { names[..<$0].contains(names[$0]) }
        return twice.map { "is not \(form): \(names[$0]) is there twice" }
      } catch { return "is not \(form): \(error)" }
    }
  }
}

extension ScanDescription {
  /// What is watched in a run whose source waits, or does not.
  func triggers(sourceWaits: Bool) -> [Trigger] {
    // What is no record is told where the description is checked.
    let given = (try? trigger?.triggers) ?? []
    let standard = sourceWaits || trigger?.isAlone == true ? [] : Trigger.standard
    return standard.filter { trigger in !given.contains { $0.name == trigger.name } } + given
  }

  /// Throws where a program is not there: an alarm would tell nobody.
  func checkTriggers() throws(ScanFailure) {
    for trigger in (try? trigger?.triggers) ?? [] {
      for path in trigger.programs {
        guard let problem = programProblem(path) else { continue }
        throw ScanFailure(
          .noInput, "--trigger \(trigger.name): \(path): \(problem); name a program that can be executed")
      }
    }
  }
}
