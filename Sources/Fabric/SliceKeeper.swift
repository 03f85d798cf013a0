/// Sees to it that servers have the stream to which nodes send their slices. Nothing waits for it: images go up also
/// where nobody says anything of that stream, as the server that has it is away. Use from one thread at a time.
package final class SliceKeeper {
  private let slices: Int
  private let columns: Int
  private let silence: StreamSilence
  private let interval: Duration
  private let noticed: (String) -> Void
  private var link: (stream: SliceStream, store: FabricStore)?
  private var due = ContinuousClock.now

  /// For so many slices of columns × columns values, looked at once an `interval`. `noticed` hears what was done.
  package init(
    slices: Int, columns: Int, silence: StreamSilence = StreamSilence(), interval: Duration = .seconds(5),
    noticed: @escaping (String) -> Void
  ) {
    (self.slices, self.columns, self.silence, self.interval) = (slices, columns, silence, interval)
    self.noticed = noticed
  }

  /// Looks by another connection from now on; `store` is the run's, which more servers have.
  package func attach(_ stream: SliceStream, _ store: FabricStore) { (link, due) = ((stream, store), .now) }

  /// Makes the stream where it is not there, now and then: anew, on servers that are there, where nobody has said
  /// anything of it for too long while the run's bucket answers. What it held is gone then; nodes send again what they
  /// have not told of.
  package func turn() throws(FabricError) {
    guard let link, ContinuousClock.now >= due else { return }
    due = .now + interval
    do throws(FabricError) {
      try link.stream.make(slices: slices, columns: columns)
      _ = silence.note([])
    } catch {
      guard case .timedOut = error else { throw error }
      guard !silence.note([0]).isEmpty, try link.store.isThere() else { return }
      do throws(FabricError) { try link.stream.remove() } catch {
        switch error {
        // The server that should answer is away.
        case .timedOut: break
        // Images can go up all the same.
        case .refused: return noticed("\(error)")
        default: throw error
        }
      }
      silence.move([0], [link.stream.name])
      due = .now
      noticed(
        "the server of stream \(link.stream.name) is away: made anew on the servers that are there; nodes send again "
          + "what they have not told of")
    }
  }
}
