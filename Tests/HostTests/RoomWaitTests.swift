import Glibc
import Host
import Testing

@Suite struct RoomWaitTests {
  private let full = FileError.full(path: "/out/a", reason: "No space left on device")

  @Test func `what finds no room is written again until it does, and who waits says so once`() throws {
    var (attempts, heard) = (0, [Bool]())
    let wait = RoomWait(period: .milliseconds(1), isStopped: { false }, changed: { heard.append($0) })
    let result = try wait.write {
      attempts += 1
      if attempts < 5 { throw full }
      return 7
    }
    #expect(result == 7 && attempts == 5 && heard == [true, false])
    #expect(try wait.write { 8 } == 8 && heard == [true, false])
  }

  @Test func `it ends where it is stopped, after its limit, and at any other failure`() throws {
    var (attempts, heard) = (0, [Bool]())
    let stopped = RoomWait(isStopped: { attempts > 0 }, changed: { heard.append($0) })
    let result: Int? = try stopped.write {
      attempts += 1
      throw full
    }
    #expect(result == nil && attempts == 1 && heard == [true, false])
    let limited = RoomWait(
      limit: .milliseconds(20), period: .milliseconds(1), isStopped: { false }, changed: { heard.append($0) })
    #expect(throws: full) { try limited.write { throw full } }
    #expect(heard == [true, false, true, false])
    let other = FileError.io(path: "/out/a", reason: "Input/output error")
    #expect(throws: other) { try limited.write { throw other } }
    #expect(heard.count == 4)
  }

  @Test func `an error of the system is full where only room is missing`() {
    for (errno, isFull) in [(ENOSPC, true), (EDQUOT, true), (EFBIG, false), (EIO, false)] {
      let error = FileError.writing("/out/a", errno)
      #expect(error.isFull == isFull && error.exitCode == 74 && error.description.hasPrefix("cannot write /out/a: "))
    }
  }
}
