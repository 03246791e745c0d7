import ArgumentParser
import Foundation
import Imaging
import Schema
import TestSupport
import Testing

@testable import Generator

/// What `sample --prompt-table` and `autoencode` read and say.
@Suite struct SampleTableTests {
  private func jobs(_ text: String) throws -> [SampleCommand.Job] {
    let path = NSTemporaryDirectory() + "table-\(UUID().uuidString).tsv"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    return try SampleCommand.jobs(inTable: path)
  }

  private func message(_ text: String) -> String {
    do {
      _ = try jobs(text)
      return "accepted"
    } catch {
      return "\(error)"
    }
  }

  @Test("a table is a seed, a tab, a prompt and perhaps categories; blank lines do not count")
  func readsTable() throws {
    let expected = [
      SampleCommand.Job(prompt: "a cat", seed: 7),
      SampleCommand.Job(
        prompt: "a dog on the sand", seed: 18_446_744_073_709_551_615,
        categories: ["dog", "potted plant"]),
    ]
    #expect(
      try jobs("7\ta cat\n\n18446744073709551615\ta dog on the sand\tdog, potted plant\n")
        == expected)
  }

  @Test("a line without a seed, a seed twice and an empty table are refused")
  func refusesTable() {
    #expect(message("a cat\n").contains("'a cat'; expected a seed, a tab and a prompt"))
    #expect(message("-1\ta cat\n").contains("expected a seed, a tab and a prompt"))
    #expect(message("1\ta cat\tcat\tdog\n").contains("expected a seed, a tab and a prompt"))
    #expect(message("1\ta cat\t,\n").contains("no categories"))
    #expect(message("3\ta cat\n3\ta dog\n").contains("2 lines; expected at most 100000, each"))
    #expect(message("\n").contains("no prompt in it"))
  }

  @Test("one source of prompts is needed, and a table goes alone")
  func validates() {
    func refused(_ arguments: [String]) -> String {
      do {
        _ = try SampleCommand.parse(["--out", "x.png"] + arguments)
        return "accepted"
      } catch {
        return SampleCommand.message(for: error)
      }
    }
    #expect(refused([]) == "give one of --prompt, --prompt-file and --prompt-table")
    #expect(refused(["--prompt", "a", "--prompt-table", "t"]).hasPrefix("give one of"))
    #expect(
      refused(["--prompt-table", "t", "--count", "2"])
        == "--prompt-table goes without --count and --sheet")
    #expect(refused(["--prompt", "a"]) == "accepted")
  }

  @Test("the signal-to-noise ratio is that of the mean squared error")
  func measuresNoise() {
    let dark = RGBImage(width: 2, height: 1, pixels: [0, 0, 0, 10, 10, 10])
    let light = RGBImage(width: 2, height: 1, pixels: [6, 0, 0, 10, 10, 10])
    // 36 / 6 = 6; 10 · log10(65025 / 6) = 40.349…
    #expect(abs(peakSignalToNoise(dark, light) - 40.34937) < 1e-4)
    #expect(peakSignalToNoise(dark, dark) > 100)
  }
}

/// Where the model is that comes with the program.
@Suite struct ModelLocationTests {
  private func find(
    _ option: String, share: String? = nil, bin: String
  ) throws(GeneratorError) -> String {
    try ShareLocation.model(
      option: option, environment: share.map { ["GROUNDWELL_SHARE": $0] } ?? [:],
      programFolder: bin)
  }

  @Test("'stickers' is the shipped one, any other name a directory")
  func findsModel() throws {
    let root = NSTemporaryDirectory() + "model-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: root) }
    #expect(try find("my/model", bin: root + "/bin") == "my/model")
    let error = #expect(throws: GeneratorError.self) {
      try find("stickers", share: "/nowhere", bin: root + "/bin")
    }
    #expect(error?.code == .badConfiguration)
    #expect(
      error?.message.contains(
        "looked at /nowhere/stickers, \(root)/share/groundwell/stickers, "
          + "\(root)/bin/groundwell_Generator.resources/stickers") == true)
    for folder in ["bin/groundwell_Generator.resources/stickers", "share/groundwell/stickers"] {
      try FileManager.default.createDirectory(
        atPath: "\(root)/\(folder)", withIntermediateDirectories: true)
      #expect(try find("stickers", bin: root + "/bin") == "\(root)/\(folder)")
    }
  }
}
