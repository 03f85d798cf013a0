package import RunModel

/// A stage's process, as the command line and messages name it.
package enum StageName: Hashable, Sendable, CustomStringConvertible {
  /// Reads the source.
  case acquire
  /// Filters whole projections.
  case correct
  /// Hands out rows and decides windows.
  case distribute
  /// Computes one partition.
  case reconstruct(Int)
  /// Watches the volume and the operators' requests, and decides when to finalize.
  case control
  /// Filters the finished volume.
  case denoise
  /// Writes the files.
  case export

  /// From the command line's words.
  package init?(name: String, partition: Int?) {
    switch (name, partition) {
    case ("acquire", nil): self = .acquire
    case ("correct", nil): self = .correct
    case ("distribute", nil): self = .distribute
    case ("reconstruct", let partition?) where partition >= 0: self = .reconstruct(partition)
    case ("control", nil): self = .control
    case ("denoise", nil): self = .denoise
    case ("export", nil): self = .export
    default: return nil
    }
  }

  /// As in messages: `reconstruct.3`.
  package var description: String {
    switch self {
    case .acquire: "acquire"
    case .correct: "correct"
    case .distribute: "distribute"
    case .reconstruct(let partition): "reconstruct.\(partition)"
    case .control: "control"
    case .denoise: "denoise"
    case .export: "export"
    }
  }

  /// The words of the command line that start it.
  package var arguments: [String] {
    switch self {
    case .reconstruct(let partition): ["reconstruct", "--partition", "\(partition)"]
    case .acquire, .correct, .distribute, .control, .denoise, .export: [description]
    }
  }

  /// From a word in messages: `reconstruct.3`.
  package init?(_ text: String) {
    let words = text.split(separator: ".", omittingEmptySubsequences: false)
    self.init(name: String(words[0]), partition: words.count == 2 ? Int(words[1]) : nil)
  }

  /// The topics that the stage writes.
  package func written(workers: Int) -> [Topic] {
    switch self {
    case .acquire: [.projections]
    case .correct: [.corrected]
    case .distribute: (0..<workers).map { .chunks(partition: $0) }
    case .reconstruct(let partition): [.updates(partition: partition)]
    case .control: [.commands, .scores]
    case .denoise: [.denoised]
    case .export: []
    }
  }

  /// Every stage of a plan, upstream first.
  package static func all(_ plan: RunPlan) -> [StageName] {
    [.acquire] + (plan.correction == nil ? [] : [.correct]) + [.distribute]
      + plan.placement.workers.indices.map { .reconstruct($0) } + [
        .control
      ]
      + (plan.denoising == nil ? [] : [.denoise]) + [.export]
  }
}
