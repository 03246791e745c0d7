import Client
import Foundation
import Imaging
import Schema
import Testing

/// What commands print of the daemon's answers.
@Suite struct AnswerTests {
  @Test("counts is a table with a bar, totals and a legend")
  func countsTable() throws {
    let run = CommandRun(["counts"], daemon: try ExampleAnswers.daemon(), columns: 72)
    #expect(run.status == .success)
    #expect(
      run.output == """
        CATEGORY      STOCK  TARGET  SHORT  PENDING
        cat              60      80     20       15  ████████████████▎▒▒▒░░
        dog             100     100      0        0  ███████████████████████████
        potted plant      8       -      0        0  ██▏

        3 categories, 220 objects; 150 triplets in the store.
        1 category is short, by 20 in all; 15 pending.
        █ in stock  ▒ pending  ░ missing

        """)
  }

  @Test("a terminal without room for bars gets the figures alone")
  func narrowCounts() throws {
    let run = CommandRun(["counts"], daemon: try ExampleAnswers.daemon(), columns: 50)
    #expect(run.output.hasPrefix("CATEGORY      STOCK  TARGET  SHORT  PENDING\ncat   "))
    #expect(!run.output.contains("█"))
  }

  @Test("colours stand around what they mean")
  func colouredCounts() throws {
    let run = CommandRun(["counts"], daemon: try ExampleAnswers.daemon(), isColoured: true)
    #expect(run.output.contains("\u{1B}[31m20\u{1B}[0m"))
    #expect(run.output.contains("\u{1B}[33m15\u{1B}[0m"))
  }

  @Test(
    "the order of rows is by name, fewest first, or most missing first",
    arguments: [
      ("name", ["cat", "dog", "potted plant"]), ("stock", ["potted plant", "cat", "dog"]),
      ("shortfall", ["cat", "dog", "potted plant"]),
    ])
  func order(sort: String, names: [String]) throws {
    let run = CommandRun(["counts", "--sort", sort], daemon: try ExampleAnswers.daemon())
    let rows = run.output.split(separator: "\n").dropFirst().prefix(3)
    #expect(zip(rows, names).allSatisfy { $0.hasPrefix($1) })
    #expect(rows.count == 3)
  }

  @Test("categories and the minimum reach the daemon, commas split, doubles dropped")
  func countsParams() throws {
    let daemon = try ExampleAnswers.daemon()
    _ = CommandRun(["counts", "Cat, potted  plant", "cat", "--minimum", "70"], daemon: daemon)
    let params = try #require(daemon.asked.first).params(Counts.self)
    #expect(params.categories?.map(\.text) == ["cat", "potted plant"])
    #expect(params.minimum == 70)
  }

  @Test("an empty store says how to fill it")
  func emptyStore() throws {
    let daemon = try FakeDaemon { _ in
      [.result(Counts.Result(snapshot: 0, triplets: 0, categories: []))]
    }
    let run = CommandRun(["counts"], daemon: daemon)
    #expect(
      run.output
        == "The store has no categories yet; fill one with "
        + "'groundwell backfill cat --target 20'.\n")
  }

  @Test("counts kept as JSON can be compared with, as a table and as a picture")
  func comparison() throws {
    let daemon = try ExampleAnswers.daemon()
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
      "gw-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { #expect(throws: Never.self) { try FileManager.default.removeItem(at: folder) } }
    let file = folder.appendingPathComponent("before.json")
    let before = CommandRun(["counts", "--json"], daemon: daemon).output
      .replacingOccurrences(of: "\"stock\":60", with: "\"stock\":20")
      .replacingOccurrences(of: "\"stock\":8,", with: "\"stock\":12,")
    try Data(before.utf8).write(to: file)
    let plot = folder.appendingPathComponent("plot.png").path
    let run = CommandRun(
      ["counts", "--compare", file.path, "--plot", plot], daemon: daemon, columns: 70)
    #expect(
      run.output == """
        CATEGORY      BEFORE  NOW  CHANGE  TARGET
        cat               20   60     +40      80  █████▍▒▒▒▒▒▒▒▒▒▒
        dog              100  100       0     100  ███████████████████████████
        potted plant      12    8      -4       -  ██▏

        3 categories; stock added up: 132 before, 168 now.
        █ before  ▒ gained  ░ lost

        """)
    let picture = try PNG.readRGB(plot)
    #expect(picture.width == 960)
    #expect(Set(picture.pixels).count > 8)
  }

  @Test(
    "JSON output is the daemon's answer in one line",
    arguments: ["status", "counts", "jobs", "query", "check", "show 17", "job cancel 3"])
  func json(command: String) throws {
    let run = CommandRun(
      command.split(separator: " ").map(String.init) + ["--json"],
      daemon: try ExampleAnswers.daemon())
    #expect(run.status == .success)
    #expect(run.output.filter { $0 == "\n" }.count == 1)
    let bytes = Array(run.output.utf8)
    switch command {
    case "status":
      #expect(try JSONText.decode(Status.Result.self, from: bytes) == Status.exampleResult)
    case "counts":
      #expect(try JSONText.decode(Counts.Result.self, from: bytes) == ExampleAnswers.counts())
    case "jobs", "job cancel 3":
      #expect(try JSONText.decode(JobsResult.self, from: bytes) == JobList.exampleResult)
    case "query":
      let found = try JSONText.decode(TripletQuery.Result.self, from: bytes)
      #expect(found.triplets == [try ExampleAnswers.triplet()])
    case "show 17":
      #expect(
        try JSONText.decode(TripletInfo.self, from: bytes) == ExampleAnswers.triplet())
    default:
      #expect(try JSONText.decode(Check.Result.self, from: bytes).masks == 228)
    }
  }

  @Test("status tells the daemon, the store and the workers")
  func status() throws {
    let run = CommandRun(["status"], daemon: try ExampleAnswers.daemon())
    #expect(
      run.output == """
        daemon    groundwelld 0.1.0, process 4711, up 1 min
        socket    /run/user/1000/groundwell/groundwelld.sock
        store     /data/groundwell
        store id  7c9e6679-7425-40de-944b-e07fc1f90ae7
        catalog   version 1, snapshot 1042
        triplets  1000 triplets of 24 categories
        packs     8.6 MiB
        engine    scenes
        work      1 active job, 12 items pending, 4 leased
        clients   2 connections, 1 stream

        WORKER  STATE    PROCESS  FAILURES  LAST ERROR
             0  running     4712         1  killed by signal 9

        """)
  }

  @Test("jobs is a table, job show all that is known of one")
  func jobs() throws {
    let daemon = try ExampleAnswers.daemon()
    #expect(
      CommandRun(["jobs", "--state", "failed"], daemon: daemon, columns: nil).output == """
        JOB  CATEGORY  STATE    DONE  PARKED  LEASED  TARGET  ENGINE  SIZE  PRIORITY  CREATED
          3  cat       failed  19/20       1       0      80  scenes    64         1  2 h ago

        """)
    #expect(try daemon.asked[0].params(JobList.self) == JobList.Params(state: .failed, limit: 100))
    #expect(
      CommandRun(["job", "show", "3"], daemon: daemon).output == """
        job         3
        category    cat
        state       failed
        items       19 of 20 done, 1 parked, 0 leased
        target      80
        engine      scenes, 64 pixels a side
        priority    1
        created     2023-11-14 22:13:20Z
        finished    2023-11-14 22:13:22Z
        last error  item 4: no sprite of 'cat'

        """)
    #expect(
      CommandRun(["job", "cancel", "3"], daemon: daemon).output
        == "job 3 ('cat'): failed, 19 of 20 done\n")
  }

  @Test("query lists triplets, and its conditions reach the daemon")
  func query() throws {
    let daemon = try ExampleAnswers.daemon()
    let run = CommandRun(
      [
        "query", "--category", "Cat", "--engine", "scenes", "--source", "exact", "--since", "2h",
        "--until", "2026-01-31", "--newest", "--limit", "5",
      ], daemon: daemon, columns: 76)
    #expect(
      run.output == """
        TRIPLET  SIZE  ENGINE  CATEGORIES   STORED   PROMPT
             17   8x8  scenes  cat x2, dog  2 h ago  a photograph of two cats and a…

        """)
    #expect(
      try daemon.asked[0].params(TripletQuery.self)
        == TripletQuery.Params(
          category: try CategoryName("cat"), engine: "scenes", source: .exact,
          sinceMicroseconds: 1_700_000_000_000_000, untilMicroseconds: 1_769_817_600_000_000,
          descending: true, limit: 5))
  }

  @Test("a long query goes on page by page and says when there is more")
  func pages() throws {
    let triplet = try ExampleAnswers.triplet()
    let daemon = try FakeDaemon { asked in
      let params = try asked.params(TripletQuery.self)
      let first = (params.after ?? 0) + 1
      let page = (0..<Int64(params.limit ?? 100)).map { offset in
        var triplet = triplet
        triplet.triplet = first + offset
        return triplet
      }
      return [.result(TripletQuery.Result(triplets: page, next: page.last?.triplet))]
    }
    let run = CommandRun(["query", "--limit", "1500", "--json"], daemon: daemon)
    let found = try JSONText.decode(TripletQuery.Result.self, from: Array(run.output.utf8))
    #expect(found.triplets.map(\.triplet) == Array(1...1500))
    #expect(found.next == 1500)
    let text = CommandRun(["query", "--limit", "3"], daemon: daemon)
    #expect(text.errors == "groundwell: only the first 3 are shown; --limit takes more\n")
  }

  @Test("show tells prompt, provenance and masks, and draws them")
  func show() throws {
    let file = FileManager.default.temporaryDirectory.appendingPathComponent(
      "gw-\(UUID().uuidString).png")
    let run = CommandRun(
      ["show", "17", "-o", file.path], daemon: try ExampleAnswers.daemon())
    #expect(
      run.output == """
        triplet  17
        prompt   a photograph of two cats and a dog
        size     8x8 pixels
        engine   scenes
        model    sprites-0123
        seed     42
        worker   local-0
        created  2023-11-14 22:13:20Z
        stored   2023-11-14 22:13:20Z

        MASK  INSTANCE  SOURCE     PIXELS   AREA  VISIBLE  CONFIDENCE
        cat          0  exact          16  25.0%    75.0%      100.0%
        cat          1  exact           8  12.5%        -           -
        dog          0  grounding       -      -        -           -

        """)
    let picture = try PNG.readRGB(file.path)
    // The image and, beside it, the image under its masks, each enlarged.
    #expect(picture.width >= 2 * 384)
    try FileManager.default.removeItem(at: file)
  }

  @Test("sheet draws as many triplets as the query finds")
  func sheet() throws {
    let daemon = try ExampleAnswers.daemon()
    let file = FileManager.default.temporaryDirectory.appendingPathComponent(
      "gw-\(UUID().uuidString).png")
    let run = CommandRun(
      ["sheet", "--category", "cat", "--count", "12", "--columns", "2", "-o", file.path],
      daemon: daemon)
    #expect(run.output == "\(file.path): 1 triplet\n")
    #expect(try daemon.asked[0].params(TripletQuery.self).limit == 12)
    #expect(try PNG.readRGB(file.path).width > 100)
    try FileManager.default.removeItem(at: file)
  }

  @Test("check ends with 1 when something is wrong, and names it")
  func check() throws {
    let clean = CommandRun(["check"], daemon: try ExampleAnswers.daemon())
    #expect(clean.status == .success)
    #expect(clean.output == "150 triplets, 228 masks: no problems.\n")
    let daemon = try FakeDaemon { _ in [.result(Check.exampleResult)] }
    let broken = CommandRun(["check", "--deep"], daemon: daemon)
    #expect(broken.status == .failed)
    #expect(
      broken.output
        == """
        1000 triplets, 1800 masks, 2800 blobs read:
        problem  category 'cat': stock 60, a recount gives 61
        set aside  triplets 17

        """)
    #expect(broken.errors == "groundwell: the store has 1 problem, 1 triplet set aside\n")
    #expect(try daemon.asked[0].params(Check.self).deep == true)
  }
}
