import Stages
import Tomography

// What the options mean for the solvers.
extension ScanDescription {
  /// No windowed update multiplies a voxel by less with mlem, osem and pml. A window of few projections has bins that
  /// noise made zero, and each would end the voxels that it sees for ever.
  private static let windowFactorMin: Float = 0.1

  /// The updates while the scan runs. The description was validated.
  var windows: WindowSchedule { WindowSchedule(length: windowLength, step: windowStep, iterations: windowIter) }

  /// Whether slices are compared while the scan runs.
  var comparesSlices: Bool { stopSimilarity != nil || reference != nil }

  /// Iterations over all projections after the scan: filtered backprojection needs one.
  package var finalIterationCount: Int { algorithm == .fbp ? 1 : finalIterations }

  /// Ordered subsets of a final iteration.
  var finalSubsetCount: Int { finalSubsets ?? (algorithm == .osem ? 8 : 1) }

  /// The penalty, with defaults filled in.
  var penalty: EMOptions.Penalty? {
    let strength = Float((regularisation ?? .standard).strength)
    return switch algorithm {
    case .pmlQuadratic: .quadratic(strength: strength)
    case .pmlHybrid: .hybrid(strength: strength, delta: Float(regularisation?.delta ?? Regularisation.standardDelta))
    case .sirt, .mlem, .osem, .fbp: nil
    }
  }

  /// What the workers compute with.
  var methods: WorkerMethods {
    let backprojection = FBPOptions(filter: filter ?? .ramp, diskMask: diskMask)
    switch algorithm {
    case .sirt:
      let options = SIRTOptions(relaxation: Float(relaxation), nonNegative: nonNegative, diskMask: diskMask)
      return WorkerMethods(
        window: .sirt(options), windowSubsets: windowSubsets ?? 1,
        initial: initial == .fbp ? .filteredBackprojection(backprojection) : nil,
        remedy: "use a smaller --relaxation")
    case .mlem, .osem, .pmlQuadratic, .pmlHybrid:
      let final = EMOptions(penalty: penalty, diskMask: diskMask)
      var window = final
      window.factorMin = Self.windowFactorMin
      return WorkerMethods(
        window: .expectationMaximisation(window), windowSubsets: windowSubsets ?? (algorithm == .osem ? 4 : 1),
        final: .expectationMaximisation(final),
        initial: initial == .fbp ? .filteredBackprojection(backprojection) : nil,
        remedy: penalty == nil
          ? "look for infinite values in the data" : "use a smaller --reg, or look for infinite values in the data")
    case .fbp:
      return WorkerMethods(
        window: .filteredBackprojection(backprojection), remedy: "look for infinite values in the data")
    }
  }
}

extension Regularisation {
  /// Mild for attenuations of 0.01 a pixel: on a foam of 256 columns with 20,000 photons a pixel it loses no detail and
  /// some noise.
  static let standard = Regularisation(strength: 100)
  /// A tenth of such an attenuation.
  static let standardDelta = 0.001
}
