import Foundation
import Schema
import TestSupport
import Testing
import Wire

@testable import Generator

/// Training as an ordinary client of a real daemon.
@Suite struct TrainingTests {
  private let fixture =
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path
    + "/Fixtures/models/sd1"

  /// A daemon with pictures of three categories, often several in one.
  private func daemon() throws -> DaemonProcess {
    let daemon = try DaemonProcess(workers: 1)
    let filled = try Program(
      "groundwell", ["backfill", "cat", "dog", "unicorn", "--target", "30", "--wait"],
      daemon: daemon)
    #expect(filled.status == 0, "\(filled.errors)")
    return daemon
  }

  @Test("the stream hands out masks of seen categories alone, and hides the others' pixels")
  func seenAlone() throws {
    let daemon = try daemon()
    let (cat, dog, unicorn) = (
      try CategoryName("cat"), try CategoryName("dog"), try CategoryName("unicorn")
    )
    let source = try StreamSource(
      socketPath: daemon.socket, categories: [cat, dog], batchSize: 20, imageSize: 64, seed: 1)
    #expect(source.categories == [cat, dog])
    let open = try daemon.client().call(
      StreamOpen.self, .init(categories: [unicorn], batchSize: 1, imageSize: 64)
    ).result
    #expect(open.categories.map(\.stock).reduce(0, +) >= 30)
    let examples = try (0..<6).flatMap { try source.batch($0) }
    #expect(examples.count == 120)
    #expect(examples.allSatisfy { $0.masks.allSatisfy { [cat, dog].contains($0.category) } })
    #expect(examples.allSatisfy { !$0.masks.isEmpty && $0.masks[0].mask.pixelCount > 0 })
    // Where a unicorn stands beside a cat, its pixels do not count.
    let hidden = examples.filter { $0.counts.contains(0) }
    let named = examples.filter { $0.prompt.contains("unicorn") }
    #expect(!named.isEmpty)
    #expect(Set(hidden.map(\.triplet)).isSuperset(of: named.map(\.triplet)))
    #expect(hidden.allSatisfy { !$0.prompt.hasSuffix("cat") })
  }

  @Test("train writes module, checkpoint and plot, and goes on with --resume", .tags(.slow))
  func trains() throws {
    let daemon = try daemon()
    let split = daemon.directory.file("split.json")
    let json = #"{"name":"s","seen":["cat","dog"],"unseen":["unicorn"],"note":""}"#
    try Data(json.utf8).write(to: URL(fileURLWithPath: split))
    func train(_ folder: String, _ options: [String]) throws -> Program {
      try Program(
        "groundwell-generator",
        [
          "train", "--split", split, "--model", fixture, "--image-size", "64", "--batch", "2",
          "--checkpoint-every", "2", "--threads", "2", "--out", daemon.directory.file(folder),
        ] + options, daemon: daemon)
    }
    let whole = try train("whole", ["--steps", "4"])
    #expect(whole.status == 0, "\(whole.errors)")
    #expect(whole.output.contains("step 4: loss "))
    let part = try train("part", ["--steps", "4", "--learning-rate", "2"])
    #expect(part.status != 0)
    #expect(part.errors.contains("learning rate: 2.0; expected 0.0 to 1.0"))
    for name in ["module.safetensors", "checkpoint.safetensors", "loss.png", "history.csv"] {
      let path = daemon.directory.file("whole/" + name)
      #expect(FileManager.default.fileExists(atPath: path), "\(name)")
    }
    // Kept features: the second run reads what the first has written, and learns the same.
    let cache = ["--steps", "4", "--feature-cache", daemon.directory.file("features")]
    let first = try train("kept", cache)
    #expect(first.status == 0, "\(first.errors)")
    let files = try FileManager.default.contentsOfDirectory(
      atPath: daemon.directory.file("features"))
    #expect(!files.isEmpty && files.allSatisfy { $0.hasSuffix(".safetensors") })
    let second = try train("read", cache)
    #expect(second.output.split(separator: "\n").first == first.output.split(separator: "\n").first)
    let without = try train("kept", ["--resume"])
    #expect(without.errors.contains("go on with --feature-cache"))
    let again = try train("whole", ["--resume"])
    #expect(again.status == 0, "\(again.errors)")
    #expect(daemon.stop() == 0)
  }
}
