import Client
import Foundation
import Schema
import Testing

/// `groundwell doctor`: what it finds, what it says about it, and what it tells the shell.
@Suite struct DoctorTests {
  private static func daemon(
    _ change: @escaping @Sendable (inout Diagnose.Result) -> Void = { _ in }
  ) throws -> FakeDaemon {
    try FakeDaemon { asked in
      switch asked.method {
      case Status.name: return [.result(Status.exampleResult)]
      case Check.name:
        return [
          .result(
            Check.Result(triplets: 1000, masks: 2000, blobsRead: 0, problems: [], quarantined: []))
        ]
      default:
        var answer = Diagnose.exampleResult
        answer.refusal = nil
        answer.full = nil
        answer.maximumStoreBytes = 0
        change(&answer)
        return [.result(answer)]
      }
    }
  }

  @Test("a healthy daemon gets no advice and exit code 0")
  func healthy() throws {
    let run = CommandRun(["doctor"], daemon: try Self.daemon())
    #expect(run.status == .success, "\(run.output)\(run.errors)")
    for text in [
      "SQLite          3.40.1: has the WAL-reset bug, which one connection keeps away\n",
      "libraries       LZ4 1.9.4, xxHash 0.8.1\n",
      "store health    counts agree with a recount of 1000 triplets\n",
      "supervision     a service manager, watchdog of 60 s\n",
      "figures http://127.0.0.1:9477/metrics\n", "\n0 wrong, ",
    ] {
      #expect(run.output.contains(text), "\(text)")
    }
  }

  @Test(
    "a quota is told with what is taken; a full store is wrong, one that is nearly full doubtful")
  func quota() throws {
    let gibibyte = 1 << 30
    func run(_ maximum: Int, _ taken: Int, full: String? = nil) throws -> CommandRun {
      CommandRun(
        ["doctor"],
        daemon: try Self.daemon { answer in
          answer.maximumStoreBytes = maximum
          answer.storeBytes = taken
          answer.deadBytes = gibibyte / 2
          answer.minimumFreeBytes = gibibyte / 4
          answer.full = full
        })
    }
    let free = try run(0, gibibyte)
    #expect(
      free.output.contains(
        "ok      quota           1.0 GiB taken, 512.0 MiB of it dead, no limit; 256.0 MiB must stay "
          + "free\n"))
    let half = try run(2 * gibibyte, gibibyte)
    #expect(half.output.contains("ok      quota           1.0 GiB of 2.0 GiB taken"))
    let tight = try run(2 * gibibyte, 2 * gibibyte - 1000)
    #expect(tight.output.contains("warning quota           2.0 GiB of 2.0 GiB taken"))
    #expect(tight.output.contains("-> the store is about to refuse triplets"))
    let full = try run(2 * gibibyte, 2 * gibibyte, full: "the store takes all")
    #expect(full.status == .failed)
    #expect(full.output.contains("WRONG   quota           full: the store takes all\n"))
  }

  @Test("a store that refuses changes, a full disk and few descriptors are wrong, with advice")
  func ill() throws {
    let daemon = try Self.daemon { answer in
      answer.refusal = "000001.pack: fdatasync failed"
      answer.storeFreeBytes = answer.storeTotalBytes / 100
      answer.openDescriptors = answer.maximumDescriptors - 1
    }
    let run = CommandRun(["doctor"], daemon: daemon)
    #expect(run.status == .failed)
    #expect(run.errors == "groundwell: 3 things to put right\n")
    #expect(
      run.output.contains(
        "WRONG   store           refuses changes: 000001.pack: fdatasync failed\n"
          + "                        -> the disk failed a write; see to the disk, then restart the "
          + "daemon\n"))
    #expect(run.output.contains("-> make room: a full disk refuses every new triplet"))
    #expect(run.output.contains("-> raise LimitNOFILE="))
  }

  @Test("without a daemon the machine is looked at all the same")
  func withoutDaemon() throws {
    let run = CommandRun(["doctor", "--socket", "/nowhere/s"])
    #expect(run.status == .failed)
    #expect(run.output.contains("warning socket folder   /nowhere is not there\n"))
    #expect(run.output.contains("warning socket          /nowhere/s is not there\n"))
    #expect(run.output.contains("WRONG   daemon          no daemon on /nowhere/s: "))
    #expect(run.output.contains("kernel          Linux "))
  }

  @Test("programs get the findings as JSON, and the same exit code")
  func json() throws {
    let daemon = try Self.daemon { $0.refusal = "broken" }
    let run = CommandRun(["doctor", "--json"], daemon: daemon)
    #expect(run.status == .failed)
    let object = try JSONSerialization.jsonObject(with: Data(run.output.utf8))
    let report = try #require(object as? [String: Any])
    #expect(report["wrong"] as? Int == 1)
    let findings = try #require(report["findings"] as? [[String: Any]])
    let store = try #require(findings.first { $0["subject"] as? String == "store" })
    #expect(store["level"] as? String == "wrong")
    #expect(store["found"] as? String == "refuses changes: broken")
    #expect((store["advice"] as? String)?.isEmpty == false)
    #expect(findings.first { $0["level"] as? String == "ok" }?["advice"] == nil)
  }

  @Test("limits of the machine are judged by their figures")
  func machine() {
    #expect(MachineCheck.kernel("6.1.0-38-amd64").level == .fine)
    #expect(MachineCheck.kernel("3.17.1").level == .fine)
    #expect(MachineCheck.kernel("3.16.0-4").level == .wrong)
    #expect(MachineCheck.kernel("what").level == .wrong)
    #expect(MachineCheck.descriptors(1024).level == .doubtful)
    #expect(MachineCheck.descriptors(1_048_576).level == .fine)
    #expect(MachineCheck.sharedMemory(64 << 20).level == .doubtful)
    #expect(MachineCheck.sharedMemory(2 << 30).level == .fine)
    #expect(MachineCheck.sharedMemory(nil).advice != nil)
  }

  @Test("a socket that others could have made, or that is none, is told")
  func socket() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
      "gw-\(UUID().uuidString.prefix(8))"
    ).path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer {
      do {
        try FileManager.default.removeItem(atPath: folder)
      } catch {
        Issue.record("\(folder) stays: \(error)")
      }
    }
    let path = folder + "/s"
    try Data().write(to: URL(fileURLWithPath: path))
    // Safe: the paths are passed for the duration of the calls.
    #expect(unsafe chmod(folder, 0o777) == 0)
    let findings = SocketCheck.findings(path)
    #expect(findings.map(\.level) == [.wrong, .wrong])
    #expect(findings[0].advice == "others can put a socket of theirs there: chmod 700 \(folder)")
    #expect(findings[1].found == "\(path) is no socket")
    #expect(unsafe chmod(folder, 0o700) == 0)
    #expect(SocketCheck.findings(path)[0].level == .fine)
  }
}
