/// When people are to be told of what, and what else is done then: one record, as
/// `beam-lost,watch=intensity,model=cusum:<20,then=notify+pause-windows`.
package struct Trigger: Equatable, Sendable {
  /// What a model compares with: a number, or a name whose value the run knows.
  package enum Limit: Equatable, Sendable {
    /// A number.
    case number(Double)
    /// `lag-max` or `disk-buffer`.
    case named(LimitName)
  }

  /// Limits that a run has of its own.
  package enum LimitName: String, CaseIterable, Sendable {
    /// Projections that a worker may be behind before updates are made less often.
    case lagMax = "lag-max"
    /// Images that wait for the disk in memory at most.
    case diskBuffer = "disk-buffer"
  }

  /// How the gauge is looked at.
  package enum Model: Equatable, Sendable {
    /// Against a limit.
    case threshold(AlarmSide, Limit)
    /// See `EWMAModel`.
    case ewma(AlarmSide, Double)
    /// See `CUSUMModel`.
    case cusum(AlarmSide, Double)
    /// See `HoltModel`; the horizon in seconds.
    case holt(seconds: Double, AlarmSide, Limit)
    /// See `QuantileModel`.
    case quantile(Double)
    /// The program at this path, which answers each line of values with a number that is above 0 for an alarm.
    case program(String)
  }

  /// What is done.
  package enum Action: Equatable, Sendable {
    /// A line in the stage's log.
    case log
    /// People are told, wherever they look.
    case notify
    /// The program at this path gets the alarm as JSON.
    case hook(String)
    /// The scan ends with what was acquired.
    case finalize
    /// Updates are made half as often, at least as long as the alarm lasts.
    case widen
    /// No update is made as long as the alarm lasts.
    case pauseWindows
  }

  /// How serious it is.
  package enum Severity: String, CaseIterable, Sendable {
    /// Worth knowing.
    case notice
    /// Worth a look.
    case warning
    /// Worth getting up.
    case critical
  }

  /// What people call it.
  package var name: String
  /// What is watched.
  package var gauge: Gauge
  /// How.
  var model: Model
  /// For how many seconds it must hold.
  var seconds: Double = 0
  /// What is done.
  package var actions: [Action] = [.notify]
  /// How serious it is.
  package var severity = Severity.warning

  /// A trigger that tells people.
  package init(_ name: String, _ gauge: Gauge, _ model: Model, for seconds: Double = 0) {
    (self.name, self.gauge, self.model, self.seconds) = (name, gauge, model, seconds)
  }

  /// The run's own limit that it compares with; nil where it does not.
  package var limit: LimitName? {
    switch model {
    case .threshold(_, .named(let name)), .holt(_, _, .named(let name)): name
    default: nil
    }
  }

  /// Whether its alarm would last to the end of the scan: what it watches is new with an update only, and it has none
  /// made.
  package var pausesItself: Bool {
    actions.contains(.pauseWindows) && [.updateSeconds, .workload, .residual, .similarity].contains(gauge)
  }

  /// Whether it changes when updates are made.
  package var changesWindows: Bool { actions.contains(.widen) || actions.contains(.pauseWindows) }

  /// What a run of a source that does not wait watches where nobody said otherwise: few things, each of which somebody
  /// would want to know at night.
  package static let standard: [Trigger] = [
    Trigger("beam-lost", .intensity, .cusum(.below, 20)),
    Trigger("dead-rows", .deadRows, .cusum(.above, 20)),
    Trigger("detector-slows", .rate, .cusum(.below, 20), for: 3),
    Trigger("slow-worker", .updateSeconds, .cusum(.above, 20)),
    Trigger("falls-behind", .lag, .holt(seconds: 30, .above, .named(.lagMax)), for: 10),
    Trigger("disk-slow", .buffered, .holt(seconds: 10, .above, .named(.diskBuffer)), for: 1),
    Trigger("disk-fills", .diskSpare, .holt(seconds: 120, .below, .number(0)), for: 10),
  ]
}
