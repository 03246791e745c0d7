import Client
import Foundation
import Schema
import Testing

/// The commands that look after the store: delete, compact, quarantine, recount, search, backup.
@Suite struct KeepingTests {
  /// A daemon that answers with the examples of the protocol.
  private func daemon(
    _ answer: @escaping @Sendable (FakeDaemon.Asked) throws -> [FakeDaemon.Reply]? = { _ in nil }
  ) throws -> FakeDaemon {
    try FakeDaemon { asked in
      if let replies = try answer(asked) { return replies }
      switch asked.method {
      case TripletDelete.name: return [.result(TripletDelete.exampleResult)]
      case Compact.name: return [.result(Compact.exampleResult)]
      case Recount.name: return [.result(Recount.exampleResult)]
      case Backup.name: return [.result(Backup.exampleResult)]
      case TripletSearch.name:
        return [.result(TripletQuery.Result(triplets: [try ExampleAnswers.triplet()], next: nil))]
      case QuarantineList.name:
        return [
          .result(
            QuarantineList.Result(triplets: QuarantineList.exampleResult.triplets, next: nil))
        ]
      case QuarantineRelease.name: return [.result(QuarantineRelease.exampleResult)]
      default: return [.error(.methodUnknown, "no method '\(asked.method)'")]
      }
    }
  }

  @Test("delete takes numbers and ranges, each once, and says what was not there")
  func delete() throws {
    let daemon = try daemon()
    let run = CommandRun(["delete", "17", "20-22", "21"], daemon: daemon)
    #expect(run.status == .success)
    #expect(run.output == "deleted 2 triplets; 1 not there: 4711\n")
    let asked = try #require(daemon.asked(TripletDelete.self).first)
    #expect(asked.triplets == [17, 20, 21, 22])
    let many = CommandRun(["delete", "1-1500", "--json"], daemon: daemon)
    #expect(many.output == #"{"deleted":4,"missing":[4711,4711],"snapshot":1043}"# + "\n")
    #expect(daemon.asked(TripletDelete.self).dropFirst().map(\.triplets.count) == [1000, 500])
  }

  @Test(
    "delete refuses what is no triplet",
    arguments: ["0", "-3", "x", "5-3", "1-", "1-2-3", "1-1000001", "99999999999999999999"])
  func deleteRefuses(text: String) throws {
    let run = CommandRun(["delete", "--", text])
    #expect(run.status == .usage)
    #expect(run.errors.contains(text), "\(run.errors)")
  }

  @Test("compact says what it freed, what it kept and why")
  func compact() throws {
    let daemon = try daemon()
    let run = CommandRun(["compact", "--dead", "20"], daemon: daemon)
    #expect(run.status == .success)
    #expect(
      run.output == """
        freed 1.3 GiB: 120 deleted triplets forgotten, 2 packs removed, 4000 triplets moved
        8.6 MiB are dead in packs that are not worth emptying
        30 deleted triplets kept for streams from snapshot 1042 on
        left because of damaged triplets: pack 3

        """)
    #expect(daemon.asked(Compact.self).map(\.deadPercent) == [20])
    #expect(
      CommandRun(["compact", "--dead", "0"]).errors.contains("--dead is 0; expected 1 to 100"))
  }

  @Test(
    "quarantine lists with reasons, releases with exit code 1 for what stays, deletes only those")
  func quarantine() throws {
    let daemon = try daemon()
    let list = CommandRun(["quarantine", "list"], daemon: daemon, columns: nil)
    #expect(list.status == .success)
    #expect(list.output.contains("17  1 h 59 min ago  000001.pack at 64, triplet 17"))
    let release = CommandRun(["quarantine", "release", "--all"], daemon: daemon)
    #expect(release.status == .failed)
    #expect(release.errors == "groundwell: still damaged and set aside: 1 triplet\n")
    #expect(release.output.hasPrefix("triplet 17 is 1044 now\ndamaged  000001.pack at 640"))
    #expect(daemon.asked(QuarantineRelease.self).map(\.triplets) == [[17]])
    let delete = CommandRun(["quarantine", "delete", "17-18"], daemon: daemon)
    #expect(delete.output == "deleted 2 triplets; 2 not set aside: 18, 4711\n")
    #expect(daemon.asked(TripletDelete.self).map(\.triplets) == [[17]])
    let neither = CommandRun(["quarantine", "delete"])
    #expect(neither.status == .usage)
    #expect(neither.errors.contains("name triplets, or --all of them"))
    #expect(CommandRun(["quarantine", "release", "1", "--all"]).status == .usage)
  }

  @Test("recount tells what it corrected; what stays is exit code 1")
  func recount() throws {
    let run = CommandRun(["recount"], daemon: try daemon())
    #expect(run.status == .failed)
    #expect(run.output.hasPrefix("corrected 1 count\ncorrected  category 'cat'"))
    #expect(run.output.contains("problem  triplet 17 has no mask\n"))
    let clean = try daemon { asked in
      asked.method == Recount.name ? [.result(Recount.Result(corrected: [], left: []))] : nil
    }
    #expect(CommandRun(["recount"], daemon: clean).status == .success)
  }

  @Test("search joins its words and takes a category")
  func search() throws {
    let daemon = try daemon()
    let run = CommandRun(
      ["search", "cat", "on grass", "--category", "Cat"], daemon: daemon, columns: nil)
    #expect(run.status == .success)
    #expect(run.output.contains("a photograph of two cats and a dog"))
    let asked = try #require(daemon.asked(TripletSearch.self).first)
    #expect(asked.text == "cat on grass" && asked.category?.text == "cat" && asked.limit == 100)
    #expect(CommandRun(["search"]).status == .usage)
    #expect(CommandRun(["search", "cat", "--limit", "0"]).status == .usage)
  }

  @Test("backup sends an absolute path and shows how far it is")
  func backup() throws {
    let daemon = try daemon()
    let here = FileManager.default.currentDirectoryPath
    let run = CommandRun(["backup", "monday"], daemon: daemon)
    #expect(run.status == .success)
    #expect(
      run.output == "\(here)/monday: 1000 triplets, snapshot 1042, 9.7 MiB in 2 files\n")
    #expect(daemon.asked(Backup.self).map(\.directory) == [here + "/monday"])
    _ = CommandRun(["backup", "/monday", "--json"], daemon: daemon)
    #expect(daemon.asked(Backup.self).last?.directory == "/monday")
  }
}

extension FakeDaemon {
  /// The parameters of every request of one method.
  fileprivate func asked<M: Schema.Method>(_ method: M.Type) -> [M.Params] {
    asked.filter { $0.method == M.name }.compactMap { asked in
      do { return try asked.params(method) } catch { return nil }
    }
  }
}
