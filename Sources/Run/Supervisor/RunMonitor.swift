/// What a run tells the person who started it.
package protocol RunMonitor {
  /// The run's shared memory is there; its stages start now.
  func began(_ view: RunView)
  /// How far the run is; called several times a second.
  func progress(_ status: RunStatus)
  /// Something that the person should know now.
  func notice(_ text: String)
  /// The same where it is a warning, and what it is about.
  func alarm(_ kind: AlarmKind, _ text: String)
}

extension RunMonitor {
  /// Nothing: for a monitor that shows figures only.
  package func began(_ view: RunView) {}
  /// A notice like any other.
  package func alarm(_ kind: AlarmKind, _ text: String) { notice(text) }
}

/// Several monitors as one.
package struct RunMonitors: RunMonitor {
  private let all: [any RunMonitor]

  /// Each hears everything, in this order.
  package init(_ all: [any RunMonitor]) { self.all = all }

  /// The run's shared memory is there.
  package func began(_ view: RunView) { for monitor in all { monitor.began(view) } }
  /// How far the run is.
  package func progress(_ status: RunStatus) { for monitor in all { monitor.progress(status) } }
  /// Something that the person should know now.
  package func notice(_ text: String) { for monitor in all { monitor.notice(text) } }
  /// A warning.
  package func alarm(_ kind: AlarmKind, _ text: String) { for monitor in all { monitor.alarm(kind, text) } }
}
