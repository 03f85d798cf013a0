package import Host

// Batches.
extension MirroredDevice {
  /// Pins the memory for both.
  package func register(_ memory: UnsafeRawBufferPointer) -> Bool {
    sides.map { $0?.register(memory) ?? false }.contains(true)
  }

  /// Starts the batch on both copies.
  package func submit(_ batch: WriteBatch) throws(HostError) {
    precondition(flights.count < WriteBatch.inFlightLimit, "too many batches in flight")
    batch.requireNew()
    let copies = self.copies(batch.file)
    var flight = Flight(batch: batch, parts: [nil, nil])
    for side in kept {
      guard let device = sides[side] else { continue }
      guard let part = idle[side].popLast() else { preconditionFailure("no batch is idle") }
      flight.parts[side] = part
      part.reset(file: copies[side] ?? JournalFile(id: -1))
      for write in batch.writes { part.add(write.bytes, at: write.offset) }
      do throws(HostError) {
        guard copies[side] != nil else { throw Self.lacking(device) }
        try device.submit(part)
      } catch .system(_, _, let errno) {
        part.fail(errno)
      } catch {
        part.fail(Errno(rawValue: Self.ioError))
      }
    }
    flights.append(flight)
  }

  private static let ioError: Int32 = 5  // EIO

  /// Takes the completions of both copies.
  package func reap(wait: Duration) throws(HostError) -> Int {
    let deadline = Deadline(after: wait)
    // Each turn something completes, or time passes.
    while true {
      for side in kept {
        let isDone = flights.first?.parts[side]?.isComplete ?? true
        let slice = isDone ? .zero : min(deadline.remaining, Self.sliceLimit)
        do throws(HostError) { _ = try sides[side]?.reap(wait: slice) } catch {
          guard mayLose, kept.count == 2 else { throw error }
          try lose(side, "\(error)")
        }
      }
      let completed = try settle()
      if completed > 0 || flights.isEmpty || deadline.hasPassed { return completed }
    }
  }

  /// One copy is waited for this long before the other is looked at.
  private static let sliceLimit = Duration.milliseconds(20)

  /// Puts together what the copies say of a batch.
  private func settle() throws(HostError) -> Int {
    var completed = 0
    for index in flights.indices.reversed() {
      let parts = kept.compactMap { side in flights[index].parts[side].map { (side: side, batch: $0) } }
      let done = parts.filter(\.batch.isComplete)
      if done.count < parts.count {
        guard let whole = done.first, whole.batch.result == .whole else { continue }
        let deadline = flights[index].deadline ?? Deadline(after: slowLimit)
        flights[index].deadline = deadline
        guard deadline.hasPassed else { continue }
        do throws(HostError) {
          try lose(1 - whole.side, "it is more than \(slowLimit) behind the other copy")
        } catch {
          // There is no room to put that on record: the slow one is waited for.
          guard error.isNoSpace else { throw error }
          continue
        }
      }
      let flight = flights.remove(at: index)
      conclude(flight, done)
      // What a lost copy still writes is not waited for, so its batch is not used again.
      for (side, batch) in done { idle[side].append(batch) }
      completed += 1
    }
    return completed
  }

  private func conclude(_ flight: Flight, _ done: [(side: Int, batch: WriteBatch)]) {
    var results = done.map { (side: $0.side, result: $0.batch.result) }
    if results.contains(where: { $0.result == .whole }) {
      for (index, (side, result)) in results.enumerated() {
        passing[side] = result == .passing ? passing[side] + 1 : 0
        if passing[side] == Self.passingLimit { results[index].result = .failed(Errno(rawValue: Self.ioError)) }
      }
      if let (side, errno) = results.lazy.compactMap({ side, result in result.errno.map { (side, $0) } }).first {
        do throws(HostError) {
          if loss == nil { try lose(side, "\(folders[side]): write: \(errno)") }
          results.removeAll { $0.side == side }
        } catch {
          // That the copy is lost cannot be put on record, so nothing that only the other has may be acknowledged.
          if error.isNoSpace { results = [(side, .failed(Errno(rawValue: Self.noSpace)))] }
        }
      }
    }
    if let errno = results.lazy.compactMap(\.result.errno).first(where: \.isNoSpace)
      ?? results.lazy.compactMap(\.result.errno).first
    {
      flight.batch.fail(errno)
    } else if results.contains(where: { $0.result == .passing }) {
      flight.batch.fail(Errno(rawValue: Self.cancelled))
    } else {
      flight.batch.succeed()
    }
  }

  private static let noSpace: Int32 = 28  // ENOSPC
  private static let cancelled: Int32 = 125  // ECANCELED
}

extension HostError {
  /// Whether a disk is full.
  var isNoSpace: Bool { if case .system(_, _, let errno) = self { errno.isNoSpace } else { false } }
}
