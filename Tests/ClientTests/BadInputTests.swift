import Client
import Foundation
import Schema
import Testing

/// What a wrong command line, an absent daemon and a broken answer get.
@Suite struct BadInputTests {
  @Test(
    "a wrong command line gets 2, one sentence, and nothing is sent",
    arguments: [
      ("bakfill", "no command 'bakfill'; did you mean 'backfill'?"),
      ("frobnicate", "no command 'frobnicate'; see 'groundwell --help'"),
      ("counts --target 3", "unknown option '--target'; see 'groundwell counts --help'"),
      (
        "backfill cat", "missing expected argument '--target <n>'; see 'groundwell backfill --help'"
      ),
      (
        "backfill cat --target -5",
        "--target is -5; expected 1 to 10000000; see 'groundwell backfill --help'"
      ),
      (
        "backfill cat --target 10000001",
        "--target is 10000001; expected 1 to 10000000; see 'groundwell backfill --help'"
      ),
      (
        "backfill cat --target x",
        "the value 'x' is invalid for '--target <n>'; see 'groundwell backfill --help'"
      ),
      (
        "backfill cat --target 5 --size 7",
        "--size is 7; expected 8 to 2048; see 'groundwell backfill --help'"
      ),
      (
        "backfill cat --target 5 --seed -1",
        "--seed is -1; expected 0 to 9007199254740991; see 'groundwell backfill --help'"
      ),
      (
        "backfill cat --target 5 --timeout 5m",
        "--timeout is for --wait; without it the command ends at once; "
          + "see 'groundwell backfill --help'"
      ),
      (
        "counts --minimum -1",
        "--minimum is -1; expected 0 to 10000000; see 'groundwell counts --help'"
      ),
      ("query --limit 0", "--limit is 0; expected 1 or more; see 'groundwell query --help'"),
      ("jobs --limit 1001", "--limit is 1001; expected 1 to 1000; see 'groundwell jobs --help'"),
      (
        "query --since yesterday",
        "the value 'yesterday' is invalid for '--since <time>'; see 'groundwell query --help'"
      ),
      (
        "sheet --count 0 -o x.png",
        "--count is 0; expected 1 to 1000; see 'groundwell sheet --help'"
      ),
      ("sheet", "missing expected argument '--output <file>'; see 'groundwell sheet --help'"),
      (
        "job show abc",
        "the value 'abc' is invalid for '<job>'; see 'groundwell job show --help'"
      ),
    ])
  func usage(command: String, message: String) throws {
    let daemon = try ExampleAnswers.daemon()
    let run = CommandRun(command.split(separator: " ").map(String.init), daemon: daemon)
    #expect(run.status == .usage)
    #expect(run.errors == "groundwell: \(message)\n")
    #expect(run.output.isEmpty)
    #expect(daemon.asked.isEmpty)
  }

  @Test(
    "a category that breaks the naming rules gets 2, and nothing is sent",
    arguments: [
      (
        String(repeating: "x", count: 10_000),
        "a category name of 10000 bytes; at most 64 characters are allowed"
      ),
      (
        String(repeating: "x", count: 65),
        "a category name of 65 characters; at most 64 are allowed"
      ),
      (
        "😀",
        "category name '😀' holds U+1F600; allowed are letters, digits, spaces, hyphens, "
          + "apostrophes, full stops and ampersands"
      ),
      (
        "c\u{1B}at",
        "category name 'c\u{FFFD}at' holds U+1B; allowed are letters, digits, spaces, hyphens, "
          + "apostrophes, full stops and ampersands"
      ),
      ("cat,,dog", "an empty category name; give a noun such as 'cat'"),
      ("", "an empty category name; give a noun such as 'cat'"),
    ])
  func categories(name: String, message: String) throws {
    let daemon = try ExampleAnswers.daemon()
    for words in [["counts"], ["backfill", "--target", "5"]] {
      let run = CommandRun(words + [name], daemon: daemon)
      #expect(run.status == .usage)
      #expect(run.errors == "groundwell: \(message)\n")
    }
    if !name.contains(",") {
      let run = CommandRun(["query", "--category", name], daemon: daemon)
      #expect(run.status == .usage)
      #expect(run.errors == "groundwell: \(message)\n")
    }
    #expect(daemon.asked.isEmpty)
  }

  @Test("an absent daemon gets 3 and the way to start one")
  func absentDaemon() {
    let run = CommandRun(["counts", "--socket", "/nowhere/daemon.sock"])
    #expect(run.status == .unreachable)
    #expect(
      run.errors
        == "groundwell: no daemon on /nowhere/daemon.sock: No such file or directory (2); start "
        + "one with 'groundwelld', or name its socket with --socket or GROUNDWELL_SOCKET\n")
  }

  @Test("a socket path of 108 bytes gets 3 and the limit")
  func longSocketPath() {
    let path = "/" + String(repeating: "s", count: 107)
    let run = CommandRun(["status", "--socket", path])
    #expect(run.status == .unreachable)
    #expect(
      run.errors
        == "groundwell: socket path of 108 bytes; a Unix socket takes 1 to 107: choose a shorter "
        + "one: \(path)\n")
  }

  @Test(
    "an unknown category is answered with the one that was probably meant",
    arguments: [
      ("counts cta", "the store has no category 'cta'; did you mean 'cat'?"),
      ("query --category dgo", "the store has no category 'dgo'; did you mean 'dog'?"),
      (
        "counts zebra,emu",
        "the store has no categories 'zebra', 'emu'; 'groundwell counts' lists what it has, and "
          + "'groundwell backfill' makes more"
      ),
    ])
  func unknownCategory(command: String, message: String) throws {
    let counts = try ExampleAnswers.counts()
    let daemon = try FakeDaemon { asked in
      if asked.method == Counts.name, try asked.params(Counts.self).categories == nil {
        return [.result(counts)]
      }
      return [.error(.categoryUnknown, "no such category")]
    }
    let run = CommandRun(command.split(separator: " ").map(String.init), daemon: daemon)
    #expect(run.status == .refused)
    #expect(run.errors == "groundwell: \(message)\n")
  }

  @Test("a refusal of the daemon gets 4 and its sentence, control characters taken out")
  func refusal() throws {
    let daemon = try FakeDaemon { _ in [.error(.tripletUnknown, "no triplet \u{1B}[2J99")] }
    let run = CommandRun(["show", "99"], daemon: daemon)
    #expect(run.status == .refused)
    #expect(run.errors == "groundwell: no triplet \u{FFFD}[2J99\n")
  }

  @Test("a deadline of the daemon gets 124")
  func daemonDeadline() throws {
    let daemon = try FakeDaemon { _ in [.error(.deadlineReached, "the wait is over")] }
    #expect(CommandRun(["check"], daemon: daemon).status == .deadline)
  }

  @Test("a daemon that is stopping counts as none")
  func stoppingDaemon() throws {
    let daemon = try FakeDaemon { _ in [.error(.stopping, "the daemon is stopping")] }
    #expect(CommandRun(["counts"], daemon: daemon).status == .unreachable)
  }

  @Test("a job that does not exist gets 4")
  func unknownJob() throws {
    let daemon = try FakeDaemon { _ in [.result(JobsResult(jobs: []))] }
    let run = CommandRun(["job", "show", "7"], daemon: daemon)
    #expect(run.status == .refused)
    #expect(
      run.errors == "groundwell: the store has no job 7; 'groundwell jobs' lists those it has\n")
  }

  @Test("a daemon that breaks the protocol or hangs up gets 3")
  func brokenDaemon() throws {
    let noise = try FakeDaemon { _ in [.noise(Array("HTTP/1.1 400 Bad Request\r\n".utf8))] }
    let broken = CommandRun(["status"], daemon: noise)
    #expect(broken.status == .unreachable)
    #expect(broken.errors.hasPrefix("groundwell: the daemon sent a broken frame: "))
    let gone = CommandRun(["status"], daemon: try FakeDaemon { _ in [.hangUp] })
    #expect(gone.status == .unreachable)
    #expect(gone.errors == "groundwell: the daemon closed the connection\n")
  }

  @Test("a body with other masks than described gets 3, and no picture is written")
  func brokenBody() throws {
    let triplet = try ExampleAnswers.triplet()
    let image = RGBImage(width: 8, height: 8, pixels: [UInt8](repeating: 0, count: 192))
    let body = TripletBody.encode(
      image: image,
      masks: [BinaryMask(width: 8, height: 8, values: [UInt8](repeating: 1, count: 64))])
    let daemon = try FakeDaemon { _ in [.result(triplet, body: body)] }
    let file = FileManager.default.temporaryDirectory.appendingPathComponent(
      "gw-\(UUID().uuidString).png")
    let run = CommandRun(["show", "17", "-o", file.path], daemon: daemon)
    #expect(run.status == .unreachable)
    #expect(
      run.errors
        == "groundwell: the daemon's answer for triplet 17 is broken: 1 masks in the body, 3 in "
        + "the description\n")
    #expect(!FileManager.default.fileExists(atPath: file.path))
  }

  @Test("a picture that cannot be written gets 1 and its path")
  func unwritablePicture() throws {
    let run = CommandRun(
      ["show", "17", "-o", "/nowhere/x.png"], daemon: try ExampleAnswers.daemon())
    #expect(run.status == .failed)
    #expect(run.errors.hasPrefix("groundwell: /nowhere/x.png: cannot be written"))
    #expect(run.output.isEmpty)
  }

  @Test("a comparison with something else than kept counts gets 1")
  func brokenComparison() throws {
    let daemon = try ExampleAnswers.daemon()
    let absent = CommandRun(["counts", "--compare", "/nowhere/x.json"], daemon: daemon)
    #expect(absent.status == .failed)
    #expect(absent.errors.hasPrefix("groundwell: /nowhere/x.json: cannot be read: "))
    let file = FileManager.default.temporaryDirectory.appendingPathComponent(
      "gw-\(UUID().uuidString).json")
    try Data("[1, 2]".utf8).write(to: file)
    let other = CommandRun(["counts", "--compare", file.path], daemon: daemon)
    try FileManager.default.removeItem(at: file)
    #expect(other.status == .failed)
    #expect(other.errors.hasSuffix("; expected the output of 'groundwell counts --json'\n"))
    #expect(daemon.asked.isEmpty)
  }

  @Test("a very long argument does not flood the terminal")
  func longMessage() {
    let run = CommandRun(["job", "show", String(repeating: "z", count: 10_000)])
    #expect(run.status == .usage)
    #expect(run.errors.count < 700)
  }

  @Test("an argument with control characters is shown without them")
  func controlCharacters() {
    let run = CommandRun(["job", "show", "\u{1B}[31m\u{07}"])
    #expect(run.errors.contains("'\u{FFFD}[31m\u{FFFD}'"))
    #expect(!run.errors.contains("\u{1B}"))
  }
}
