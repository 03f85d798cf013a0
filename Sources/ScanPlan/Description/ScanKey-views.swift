package import Stages

/// What of a run is put together for programs of people.
extension ScanKey {
  static let views = [
    ScanKey(
      .control, "view", \.view,
      """
      Writes down which events belong together, for programs that read them while the run goes on, as in \
      pairs,from=projections,with=updates,match=window,copy=volume:8; can be given several times.
      """,
      unset: "none", .views)
  ]
}

/// The views of a run, in their order: records with blanks between them.
package struct ViewRecords: ScanValue {
  /// As it is written on the command line and in scan.yaml.
  package let scanText: String
  fileprivate static let countMax = 8

  /// For people.
  package static var form: String {
    "up to \(countMax) records \(ViewRecord.form) without blanks, each name once"
  }

  /// Words with blanks between them, whether they are records or not.
  package init?(scanText: String) {
    self.scanText = scanText.split(separator: " ").joined(separator: " ")
    if self.scanText.isEmpty { return nil }
  }

  /// What the words are. Throws where one is no record.
  var records: [ViewRecord] {
    get throws(ViewRecord.Mistake) {
      var records: [ViewRecord] = []
      for word in scanText.split(separator: " ").map(String.init) {
        do throws(ViewRecord.Mistake) { records.append(try ViewRecord(parsing: word)) } catch {
          throw ViewRecord.Mistake(description: "\(word.prefix(60)): \(error)")
        }
      }
      return records
    }
  }
}

extension ScanLimit where Value == ViewRecords {
  /// Records, no name twice.
  static var views: ScanLimit {
    named(ViewRecords.form, countMax: ViewRecords.countMax) { try $0.records.map(\.name) }
  }
}

extension ScanDescription {
  /// The views. What is no record is told where the description is checked.
  package var views: [ViewRecord] { (try? view?.records) ?? [] }

  /// Whether a view is made of updates of windows. A node makes the updates that the edge does.
  var joinsWindows: Bool { fabricInput == nil && views.contains { $0.match == .window } }

  /// Why a view would have no items.
  var viewProblem: String? {
    guard let first = views.first else { return nil }
    if durability == .memory {
      return "--view \(first.name) goes with --durability durable: what it names would be gone before somebody reads it"
    }
    for view in views {
      let start = "--view \(view.name) "
      if [view.from, view.with].contains(.corrected), zingers == nil, paganin == nil {
        return start + "joins corrected projections, which --zingers or --paganin makes; join projections"
      }
      if view.match == .window, makesNoWindows {
        return start + "joins updates of windows, and --window-step 0 makes none; leave that out"
      }
      if [view.from, view.with].contains(.scores), !comparesSlices {
        return start + "joins scores, which --stop-ssim or --reference makes; give one of them"
      }
    }
    return nil
  }
}
