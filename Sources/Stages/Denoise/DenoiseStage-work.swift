import Logging
import RunModel
package import Tomography

/// How a run denoises its finished volume.
package enum DenoisingWork: Sendable {
  /// By one of our methods.
  case method(Denoising)
  /// By the program at this path, which fills the denoised volume and counts its slices.
  case program(String)
}

extension DenoiseStage: Stage {
  /// Denoises what all workers made. When it has work the workers have none, so it runs on their cores.
  package static func work(in environment: some StageEnvironment) throws {
    let work: Work =
      switch environment.settings.denoisingWork {
      case .none: preconditionFailure("the run denoises nothing")
      case .method(let method): .method(method)
      case .program(let path): .program { try environment.runProgram(path) }
      }
    let workers = 0..<environment.workers
    let stage = DenoiseStage(
      work: work, updates: try workers.map { try environment.reader(.updates(partition: $0)) },
      volumes: try workers.map(environment.volume), output: try environment.denoisedVolume(),
      writer: try environment.writer(.denoised), pool: try environment.threads(), limits: environment.limits,
      standing: environment.standing(ofWorker:), didWork: environment.didWork)
    guard try !stage.run() else { return }
    environment.log.warning("the volume is not denoised, for rows of it are missing")
  }
}
