/// Looks at every sample with every trigger, and says what begins and what ends.
package struct Watcher {
  /// Something that begins or ends.
  package struct Alarm: Equatable, Sendable {
    /// The trigger's place among those that the watcher has.
    package let trigger: Int
    /// Whether it begins.
    package let isRaised: Bool
    /// The gauge then.
    package let value: Double
    /// As the model says; nil where it says none.
    package let forecast: Double?
  }

  /// Seconds from one sample to the next.
  static let period = 0.1
  /// An alarm is over when its trigger was quiet for so long, in samples.
  private static let quietSamples = 50
  /// Alarms of one trigger in a run: what comes more often is told no more.
  private static let alarmsMax = 1000

  /// What is watched, in this order.
  package let triggers: [Trigger]
  private var states: [State]

  private struct State {
    var model: any AlarmModel
    /// The gauge as it was last known.
    var known: Double?
    var isHeldNow = false
    var held = 0
    var quiet = 0
    var alarms = 0
    var isRaised = false
    var last: (value: Double, forecast: Double?) = (0, nil)
  }

  /// Watches with the triggers whose limits are known; one that compares with a limit that the run does not have is
  /// left out. `program` makes the model that a program is.
  package init(
    _ triggers: [Trigger], limits: [Trigger.LimitName: Double], program: (String) -> any AlarmModel
  ) {
    var known: [(Trigger, any AlarmModel)] = []
    for trigger in triggers {
      if let model = Self.model(trigger, limits, program) { known.append((trigger, model)) }
    }
    self.triggers = known.map(\.0)
    states = known.map { State(model: $0.1) }
  }

  private static func model(
    _ trigger: Trigger, _ limits: [Trigger.LimitName: Double], _ program: (String) -> any AlarmModel
  ) -> (any AlarmModel)? {
    func value(_ limit: Trigger.Limit) -> Double? {
      switch limit {
      case .number(let number): number
      case .named(let name): limits[name]
      }
    }
    let scatterMin = trigger.gauge.scatterMin
    switch trigger.model {
    case .threshold(let side, let limit): return value(limit).map { ThresholdModel(side: side, limit: $0) }
    case .ewma(let side, let limit): return EWMAModel(side: side, limit: limit, scatterMin: scatterMin)
    case .cusum(let side, let limit): return CUSUMModel(side: side, limit: limit, scatterMin: scatterMin)
    case .holt(let seconds, let side, let limit):
      return value(limit).map { HoltModel(side: side, limit: $0, horizon: seconds / period) }
    case .quantile(let quantile): return QuantileModel(quantile: quantile)
    case .program(let path): return program(path)
    }
  }

  /// Takes the next sample. A gauge that has nothing new leaves its triggers as they are.
  package mutating func look(_ sample: GaugeSample) -> [Alarm] {
    var alarms: [Alarm] = []
    for index in triggers.indices {
      let value = sample[triggers[index].gauge] ?? triggers[index].model.held(states[index].known)
      if let value { states[index].known = value }
      if let value, let verdict = states[index].model.look(value) {
        states[index].isHeldNow = verdict.isAlarm
        states[index].last = (value, verdict.forecast)
      }
      if let alarm = turn(index) { alarms.append(alarm) }
    }
    return alarms
  }

  /// Whether a trigger's alarm has begun and not ended.
  package func isRaised(_ trigger: Int) -> Bool { states[trigger].isRaised }

  /// Takes over which alarms last, as people were told; by their triggers' places, each with the gauge then. The others
  /// begin where their models say so, and these end where they do not. What models said is of another time where
  /// `isResumed`: nothing holds before something new is known.
  package mutating func takeOver(raised: [Int: Double], isResumed: Bool = false) {
    for index in states.indices {
      states[index].isRaised = raised[index] != nil
      if let value = raised[index], states[index].known == nil { states[index].last = (value, nil) }
      if isResumed { (states[index].isHeldNow, states[index].held, states[index].quiet) = (false, 0, 0) }
    }
  }

  /// Ends what lasts: nobody looks any more.
  package mutating func end() -> [Alarm] {
    states.indices.filter { states[$0].isRaised }.map { index in
      states[index].isRaised = false
      let last = states[index].last
      return Alarm(trigger: index, isRaised: false, value: last.value, forecast: last.forecast)
    }
  }

  private mutating func turn(_ index: Int) -> Alarm? {
    let needed = max(1, Int((triggers[index].seconds / Self.period).rounded(.up)))
    if states[index].isHeldNow {
      (states[index].held, states[index].quiet) = (states[index].held + 1, 0)
    } else {
      (states[index].held, states[index].quiet) = (0, states[index].quiet + 1)
    }
    let last = states[index].last
    if !states[index].isRaised, states[index].held >= needed, states[index].alarms < Self.alarmsMax {
      states[index].isRaised = true
      states[index].alarms += 1
      return Alarm(trigger: index, isRaised: true, value: last.value, forecast: last.forecast)
    }
    if states[index].isRaised, states[index].quiet >= Self.quietSamples {
      states[index].isRaised = false
      return Alarm(trigger: index, isRaised: false, value: last.value, forecast: last.forecast)
    }
    return nil
  }
}

extension Trigger.Model {
  /// What stands for a gauge that has nothing new: a trend is one in time, so its value goes on.
  fileprivate func held(_ known: Double?) -> Double? { if case .holt = self { known } else { nil } }
}
