import Foundation
import Glibc
import Host
import Testing

@Suite struct ProcessTests {
  private func shell(_ script: String, output: Int32? = nil) throws(HostError) -> ChildProcess {
    try ChildProcess(
      executable: "/bin/sh", arguments: ["-c", script], environment: ["GREETING": "good day"], standardOutput: output)
  }

  @Test func `a child's exit code and the signal that killed it are told apart`() throws {
    let exiting = try shell("exit 7")
    #expect(try exiting.waitForExit(timeout: .seconds(10)) == .exited(7))
    #expect(try exiting.reap() == .exited(7))
    try exiting.signal(SIGTERM)
    let waiting = try shell("exec sleep 100")
    #expect(try waiting.reap() == nil)
    #expect(try waiting.waitForExit(timeout: .milliseconds(10)) == nil)
    try waiting.signal(SIGKILL)
    #expect(try waiting.waitForExit(timeout: .seconds(10)) == .killed(signal: SIGKILL))
  }

  @Test func `a child gets its environment and output, its own process group and no blocked signal`() throws {
    let pipe = Pipe()
    let child = try shell(
      "echo $GREETING; test $(cut -d' ' -f5 /proc/$$/stat) = $$ && echo leader; exec grep SigBlk /proc/self/status",
      output: pipe.fileHandleForWriting.fileDescriptor)
    pipe.fileHandleForWriting.closeFile()
    let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    #expect(output == "good day\nleader\nSigBlk:\t0000000000000000\n")
    #expect(try child.waitForExit(timeout: .seconds(10)) == .exited(0))
  }

  @Test func `what a child has started ends with it`() throws {
    for isKilled in [true, false] {
      // The pipe ends when the last of them is gone.
      let pipe = Pipe()
      let child = try shell(
        isKilled ? "sleep 100 & echo up; wait" : "sleep 100 & echo up", output: pipe.fileHandleForWriting.fileDescriptor
      )
      pipe.fileHandleForWriting.closeFile()
      #expect(pipe.fileHandleForReading.readData(ofLength: 3) == Data("up\n".utf8))
      if isKilled { try child.killGroup() } else { _ = try Poll.wait(readable: [child.pidfd], timeout: .seconds(10)) }
      var ended = try child.reapGroup()
      for _ in 0..<1000 where ended == nil {
        ended = try child.reapGroup()
        usleep(10_000)
      }
      #expect(ended == (isKilled ? .killed(signal: SIGKILL) : .exited(0)))
      #expect(pipe.fileHandleForReading.readDataToEndOfFile().isEmpty)
      try child.killGroup()
    }
  }

  @Test func `a signal that a child was started with blocked waits for it`() throws {
    let child = try ChildProcess(executable: "/bin/sleep", arguments: ["0.2"], blockedSignals: [SIGTERM])
    try child.signal(SIGTERM)
    #expect(try child.waitForExit(timeout: .seconds(10)) == .exited(0))
  }

  @Test func `a child has none of this process's descriptors but the first three`() throws {
    // As libraries open them: without O_CLOEXEC.
    let descriptor = open("/etc/hostname", O_RDONLY)
    try #require(descriptor > 2)
    defer { close(descriptor) }
    let child = try shell("test -e /proc/$$/fd/1 && ! test -e /proc/$$/fd/\(descriptor)")
    #expect(try child.waitForExit(timeout: .seconds(10)) == .exited(0))
  }

  @Test func `an executable that is missing is an error that names it`() {
    #expect(throws: HostError.system(call: "posix_spawn", subject: "/nowhere/stage", errno: Errno(rawValue: ENOENT))) {
      try ChildProcess(executable: "/nowhere/stage", arguments: [])
    }
  }

  @Test func `a child that outlived its parent is told so`() {
    #expect(
      throws: HostError.system(call: "getppid", subject: "parent process 1234567890", errno: Errno(rawValue: ESRCH))
    ) {
      try ChildProcess.dieWithParent(expectedParent: 1_234_567_890)
    }
  }

  @Test func `a blocked signal comes through its descriptor once`() throws {
    let signals = try SignalDescriptor(signals: [SIGUSR2])
    #expect(try signals.next() == nil)
    #expect(try Poll.wait(readable: [signals.descriptor], timeout: .zero).isEmpty)
    pthread_kill(pthread_self(), SIGUSR2)
    #expect(try Poll.wait(readable: [signals.descriptor], timeout: .seconds(10)) == [signals.descriptor])
    #expect(try signals.next() == SIGUSR2)
    #expect(try signals.next() == nil)
  }

  @Test func `a poll names the readable descriptors and ends with its time`() throws {
    let quiet = Pipe()
    let loud = Pipe()
    loud.fileHandleForWriting.write(Data([1]))
    let descriptors = [quiet, loud].map(\.fileHandleForReading.fileDescriptor)
    #expect(try Poll.wait(readable: descriptors, timeout: .seconds(10)) == [descriptors[1]])
    let start = ContinuousClock.now
    #expect(try Poll.wait(readable: [descriptors[0]], timeout: .milliseconds(30)).isEmpty)
    #expect(ContinuousClock.now - start >= .milliseconds(30))
  }
}
