import Client
import Foundation
import Imaging
import Schema
import Testing

/// `groundwell plan`.
@Suite struct PlanTests {
  private func daemon() throws -> FakeDaemon {
    let names = try ["cat", "dog", "unicorn"].map { try CategoryName($0) }
    return try FakeDaemon { asked in
      guard asked.method == StreamOpen.name else { return [.error(.methodUnknown, "no")] }
      let params = try asked.params(StreamOpen.self)
      return [
        .result(
          StreamOpen.Result(
            stream: 1,
            token: ResumeToken(
              store: "7c9e6679-7425-40de-944b-e07fc1f90ae7", snapshot: 42,
              policy: SelectionPolicy(rawValue: params.policy ?? "") ?? .balanced,
              seed: params.seed ?? 0, k: 0),
            categories: zip(names, [60, 6, 3]).enumerated().map { index, entry in
              StreamOpen.Category(
                category: entry.0, label: index + 1, stock: entry.1, thin: false)
            }, batchSize: params.batchSize, imageSize: 8, epochBatches: 1,
            plan: "0123456789abcdef", filled: [:], shares: [0.5, 0.25, 0.25]))
      ]
    }
  }

  @Test("plan is a table of what the stream will draw, with a bar and what it comes to")
  func table() throws {
    let run = CommandRun(
      ["plan", "--batch-size", "8", "--batches", "30", "--seed", "7"], daemon: try daemon(),
      columns: 76)
    #expect(run.status == .success)
    #expect(
      run.output == """
        CATEGORY  STOCK   SHARE  DRAWS  PER BATCH  PASSES
        cat          60  33.33%     80        2-3    1.33  █████████████████████████
        dog           6  33.33%     80        2-3   13.33  █████████████████████████
        unicorn       3  33.33%     80        2-3   26.67  █████████████████████████

        30 batches of 8 over 3 categories: 240 draws; every triplet has come after 23 batches.
        policy balanced, seed 7, snapshot 42, plan 0123456789abcdef

        """)
    let narrow = CommandRun(["plan"], daemon: try daemon(), columns: 50)
    #expect(!narrow.output.contains("█"))
  }

  @Test("all options reach the daemon, and nothing is started or drawn")
  func params() throws {
    let daemon = try daemon()
    let run = CommandRun(
      [
        "plan", "Cat,dog", "unicorn", "--policy", "mixture", "--unseen", "unicorn",
        "--unseen-share", "0.75", "--batch-size", "16", "--seed", "9", "--snapshot", "42", "--rank",
        "1", "--world", "2",
      ], daemon: daemon)
    #expect(run.status == .success)
    #expect(daemon.asked.count == 1)
    var expected = StreamOpen.Params(
      categories: try ["cat", "dog", "unicorn"].map { try CategoryName($0) }, batchSize: 16,
      imageSize: 8, seed: 9, policy: "mixture", onThin: .repeat, rank: 1, world: 2, snapshot: 42)
    expected.unseen = [try CategoryName("unicorn")]
    expected.unseenShare = 0.75
    #expect(try daemon.asked[0].params(StreamOpen.self) == expected)
    #expect(run.output.contains("unicorn       3  75.00%"))
    #expect(run.output.contains("100 batches of 8 over 3 categories: 800 draws"))
  }

  @Test("every policy has its plan as JSON", arguments: SelectionPolicy.allCases)
  func json(policy: SelectionPolicy) throws {
    var words = ["plan", "cat,dog,unicorn", "--policy", policy.rawValue, "--json"]
    switch policy {
    case .weights: words += ["--weights", "2, 1,1"]
    case .repeatFactor: words += ["--threshold", "0.5", "--power", "1"]
    case .mixture: words += ["--unseen", "dog"]
    case .balanced, .natural: break
    }
    let run = CommandRun(words, daemon: try daemon())
    #expect(run.status == .success)
    let forecast = try JSONText.decode(PlanForecast.self, from: Array(run.output.utf8))
    #expect(forecast.policy == policy)
    #expect(forecast.categories.map(\.draws).reduce(0, +) == 3200)
    #expect(abs(forecast.categories.map(\.share).reduce(0, +) - 1) < 1e-9)
    let shares: [Double] =
      switch policy {
      case .balanced: [1 / 3.0, 1 / 3.0, 1 / 3.0]
      case .natural: [60 / 69.0, 6 / 69.0, 3 / 69.0]
      case .weights, .mixture: policy == .weights ? [0.5, 0.25, 0.25] : [0.25, 0.5, 0.25]
      case .repeatFactor: [60 / 129.0, 34.5 / 129, 34.5 / 129]
      }
    for (row, share) in zip(forecast.categories, shares) {
      #expect(abs(row.share - share) < 1e-4)
    }
  }

  @Test("the plan can be drawn into a picture")
  func plot() throws {
    let file = FileManager.default.temporaryDirectory.appendingPathComponent(
      "gw-\(UUID().uuidString).png")
    let run = CommandRun(["plan", "--plot", file.path], daemon: try daemon())
    #expect(run.status == .success)
    let picture = try PNG.readRGB(file.path)
    #expect(picture.width == 960)
    #expect(Set(picture.pixels).count > 8)
    try FileManager.default.removeItem(at: file)
  }

  @Test(
    "options that do not go together get 2, and nothing is sent",
    arguments: [
      ("--batches 0", "--batches is 0; expected 1 to 100000"),
      ("--batch-size 4097", "--batch-size is 4097; expected 1 to 4096"),
      ("--seed -1", "--seed is -1; expected 0 to 9007199254740991"),
      ("--world 0", "--rank 0 of --world 0; expected --world 1 to 32 and --rank below"),
      ("--rank 2 --world 2", "--rank 2 of --world 2; expected --world 1 to 32 and --rank below"),
      ("--weights 1,2", "--weights is for --policy weights"),
      ("--power 0.5 --policy weights", "--power is for --policy repeat-factor"),
      ("cat --policy weights", "--policy weights needs --weights, one for each category"),
      (
        "--policy weights --weights 1",
        "--policy weights needs the categories that the weights are for"
      ),
      (
        "cat --policy weights --weights 1,0", "--weights has '0'; expected numbers above 0"
      ),
      ("cat --policy weights --weights x", "--weights has 'x'; expected numbers above 0"),
      ("--policy mixture", "--policy mixture needs --unseen"),
    ])
  func usage(options: String, message: String) throws {
    let daemon = try daemon()
    let run = CommandRun(["plan"] + options.split(separator: " ").map(String.init), daemon: daemon)
    #expect(run.status == .usage)
    #expect(run.errors == "groundwell: \(message); see 'groundwell plan --help'\n")
    #expect(daemon.asked.isEmpty)
  }

  @Test("a category without a triplet gets 4 and the daemon's sentence")
  func refused() throws {
    let daemon = try FakeDaemon { _ in [.error(.categoryThin, "'cat' has 0 triplets")] }
    let run = CommandRun(["plan", "cat"], daemon: daemon)
    #expect(run.status == .refused)
    #expect(run.errors == "groundwell: 'cat' has 0 triplets\n")
  }
}
