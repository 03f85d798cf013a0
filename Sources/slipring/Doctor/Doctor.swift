import Detectors
import Events
import Glibc
import Host
import Run
import ScanPlan
import Tomography

/// Looks at a machine as a run would, and says what is missing and how to mend it.
struct Doctor {
  /// What was found about one thing.
  struct Finding: Codable, Equatable, Sendable {
    /// Whether it is good enough.
    enum Verdict: String, Codable, Sendable {
      /// As it should be.
      case good
      /// Slipring runs, but slower or with less.
      case limited
      /// Slipring does not run.
      case missing
    }

    /// What was looked at.
    let subject: String
    /// Whether it is good enough.
    let verdict: Verdict
    /// What was seen.
    let seen: String
    /// What a person can do; nil where nothing is needed.
    let remedy: String?
  }

  private let folder: String

  /// `folder` is where output would go.
  init(folder: String) { self.folder = folder }

  /// Looks at everything.
  func examine() throws -> [Finding] {
    [
      kernel(), processor(), try nodes(), memory(), sharedMemory(), hugePages(), ioUring(), lockedMemory(), openFiles(),
      disk(),
      directIO(), pvAccess(), kafka(), try leftovers(),
    ]
  }

  private func kernel() -> Finding {
    let release = Machine.kernelRelease
    let version = release.split { !$0.isNumber }.prefix(2).compactMap { Int($0) }
    let isNew = version.count == 2 && (version[0], version[1]) >= (5, 10)
    return Finding(
      subject: "kernel", verdict: isNew ? .good : .missing, seen: "Linux \(release)",
      remedy: isNew ? nil : "Slipring needs Linux 5.10 or newer (pidfd)")
  }

  private func processor() -> Finding {
    let level = Projector.processorLevel
    return Finding(
      subject: "processor", verdict: level >= 4 ? .good : level >= 2 ? .limited : .missing,
      seen: "\(Machine.processorName), x86-64-v\(level)",
      remedy: level >= 4
        ? nil
        : level >= 2
          ? "with AVX-512 (x86-64-v4) the reconstruction is faster" : "Slipring needs x86-64-v2 (SSE 4.2) or newer")
  }

  private func nodes() throws -> Finding {
    let topology = try Topology.current()
    let nodes = topology.nodes.map { "node \($0.id): \($0.cores.count) cores, \(bytes($0.memoryByteCount))" }.joined(
      separator: "; ")
    return Finding(subject: "NUMA", verdict: .good, seen: nodes, remedy: nil)
  }

  private func memory() -> Finding {
    let available = Machine.memoryAvailable ?? 0
    let isEnough = available >= 4 << 30
    return Finding(
      subject: "memory", verdict: isEnough ? .good : .limited, seen: "\(bytes(available)) available",
      remedy: isEnough
        ? nil : "a volume of 100 × 1024² needs about 2 GiB; stop other programs or reconstruct fewer rows")
  }

  private func sharedMemory() -> Finding {
    guard let total = Machine.sharedMemoryTotal, let free = Machine.sharedMemoryFree else {
      return Finding(
        subject: "/dev/shm", verdict: .missing, seen: "there is none",
        remedy: "mount it: mount -t tmpfs -o size=50% tmpfs /dev/shm")
    }
    guard access("/dev/shm", W_OK | X_OK) == 0 else {
      return Finding(
        subject: "/dev/shm", verdict: .missing, seen: "not writable: \(Errno(rawValue: errno))",
        remedy: "a run's memory is made there: mount -o remount,rw,mode=1777 /dev/shm")
    }
    let isEnough = free >= 2 << 30
    return Finding(
      subject: "/dev/shm", verdict: isEnough ? .good : .limited, seen: "\(bytes(free)) of \(bytes(total)) free",
      remedy: isEnough ? nil : "rings and volumes live there; enlarge it: mount -o remount,size=75% /dev/shm")
  }

  private func hugePages() -> Finding {
    let areThere = SharedHugePages.current != .never
    return Finding(
      subject: "huge pages", verdict: areThere ? .good : .limited, seen: areThere ? "in /dev/shm" : "none in /dev/shm",
      remedy: areThere
        ? nil
        : "with them updates while a scan runs take up to a quarter less time: mount -o remount,huge=advise /dev/shm")
  }

  private func ioUring() -> Finding {
    switch Machine.ioUring {
    case .available: return Finding(subject: "io_uring", verdict: .good, seen: "available", remedy: nil)
    case .refused(let errno):
      return Finding(
        subject: "io_uring", verdict: .limited, seen: "refused: \(errno)",
        remedy:
          "the journal is written with pwrite instead; allow it: sysctl kernel.io_uring_disabled=0, "
          + "or the container's seccomp profile"
      )
    }
  }

  private func lockedMemory() -> Finding {
    let limit = Machine.lockedMemoryLimit
    let isEnough = limit >= 256 << 20
    return Finding(
      subject: "locked memory", verdict: isEnough ? .good : .limited, seen: limit == .max ? "unlimited" : bytes(limit),
      remedy: isEnough
        ? nil
        : "the journal is written from memory that is not pinned; raise it: ulimit -l unlimited, "
          + "or LimitMEMLOCK=infinity in a systemd unit"
    )
  }

  private func openFiles() -> Finding {
    let limit = Machine.descriptorLimit.hard
    let isEnough = limit >= 256
    return Finding(
      subject: "open files", verdict: isEnough ? .good : .limited,
      seen: limit == .max ? "unlimited" : "\(limit) a process",
      remedy: isEnough
        ? nil
        : "a process of a run with a few workers needs 64, whatever the size of the scan; raise the hard limit: "
          + "ulimit -Hn 1024, or LimitNOFILE=1024 in a systemd unit")
  }

  private func disk() -> Finding {
    do throws(HostError) {
      let free = try Machine.diskFree(folder)
      let isEnough = free >= 10 << 30
      return Finding(
        subject: "disk", verdict: isEnough ? .good : .limited,
        seen: free == .max ? "\(folder) does not tell what is free" : "\(bytes(free)) free in \(folder)",
        remedy: isEnough ? nil : "choose an --output-folder with more room")
    } catch {
      return Finding(subject: "disk", verdict: .missing, seen: error.description, remedy: "name an existing folder")
    }
  }

  private func directIO() -> Finding {
    do throws(FileError) {
      switch try Machine.directIO(in: folder) {
      case .available:
        return Finding(subject: "direct I/O", verdict: .good, seen: "available in \(folder)", remedy: nil)
      case .refused(let errno):
        return Finding(
          subject: "direct I/O", verdict: .limited, seen: "refused in \(folder): \(errno)",
          remedy:
            "the journal is written through the page cache, as safely and slower; choose a --run-folder on a disk of "
            + "this machine")
      }
    } catch {
      return Finding(
        subject: "direct I/O", verdict: .limited, seen: error.description,
        remedy: "name a folder that can be written to")
    }
  }

  private func pvAccess() -> Finding {
    do throws(StreamError) {
      return Finding(
        subject: "EPICS", verdict: .good, seen: "\(try PVAccessLibrary.load().version), for pva:// sources", remedy: nil
      )
    } catch {
      let reason = if case .withoutPVAccess(let reason) = error { reason } else { error.description }
      return Finding(
        subject: "EPICS", verdict: .limited, seen: reason,
        remedy: "only pva:// sources need it; for them, \(PVAccessLibrary.remedy)")
    }
  }

  private func kafka() -> Finding {
    do throws(EventsError) {
      return Finding(
        subject: "Kafka", verdict: .good, seen: "librdkafka \(try KafkaLibrary.load().version), for --events kafka://",
        remedy: nil)
    } catch {
      let reason = if case .withoutKafka(let reason) = error { reason } else { error.description }
      return Finding(
        subject: "Kafka", verdict: .limited, seen: reason,
        remedy: "only --events kafka:// needs it; for that, \(KafkaLibrary.remedy)")
    }
  }

  private func leftovers() throws -> Finding {
    let dead = try RunRegions.dead()
    return Finding(
      subject: "leftovers", verdict: dead.isEmpty ? .good : .limited,
      seen: dead.isEmpty ? "no regions of dead runs" : "\(dead.count) regions of dead runs in /dev/shm",
      remedy: dead.isEmpty ? nil : "the next recon removes them")
  }
}
