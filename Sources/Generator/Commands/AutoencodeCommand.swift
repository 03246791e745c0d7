import ArgumentParser
import Foundation
import Imaging
import Schema

/// `groundwell-generator autoencode`.
struct AutoencodeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "autoencode",
    abstract: "Sends pictures through a model's autoencoder and says what is lost on the way.",
    discussion: """
      Prints the peak signal-to-noise ratio of each picture and their mean, in dB. A model cannot \
      draw finer than its autoencoder keeps.
      """)

  @Option(help: "Directory of the model in the layout of diffusers; stickers comes along.")
  var model = ShareLocation.shippedModel

  @Option(name: [.customLong("out"), .customShort("o")], help: "Folder for what comes out.")
  var output: String?

  @Option(help: "Threads to use.")
  var threads = ProcessInfo.processInfo.activeProcessorCount

  @Flag(help: "Write JSON.")
  var json = false

  @Argument(help: "PNG pictures with sides divisible by 8.")
  var pictures: [String]

  private struct Answer: Encodable {
    let mean: Double
    let pictures: [String: Double]
  }

  func validate() throws {
    guard (1...1024).contains(threads) else {
      throw ValidationError("--threads is \(threads); expected 1 to 1024")
    }
  }

  func run() throws {
    let model = try DiffusionModel(
      directory: ModelDirectory.named(model), workspace: Workspace(threadCount: threads))
    if let output {
      try FileManager.default.createDirectory(
        atPath: output, withIntermediateDirectories: true)
    }
    var ratios: [String: Double] = [:]
    for path in pictures {
      let picture = try PNG.readRGB(path)
      let again = model.pictures(try model.latent(of: picture))[0]
      let ratio = peakSignalToNoise(picture, again)
      ratios[path] = ratio
      if let output {
        let name = URL(fileURLWithPath: path).lastPathComponent
        try PNG.write(again, to: "\(output)/\(name)")
      }
      if !json { print("\(decibels(ratio))\t\(path)") }
    }
    let mean = ratios.values.reduce(0, +) / Double(ratios.count)
    if json {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
      let answer = Answer(mean: mean, pictures: ratios)
      print(String(decoding: try encoder.encode(answer), as: UTF8.self))
    } else {
      print("\(decibels(mean))\tmean of \(ratios.count) picture(s), dB")
    }
  }

  private func decibels(_ value: Double) -> String {
    String(format: "%.2f", value)
  }
}

/// Peak signal-to-noise ratio of two pictures of one size, in dB; 108.1 at most, for equal ones.
///
/// - Precondition: the pictures have the same size.
func peakSignalToNoise(_ picture: RGBImage, _ other: RGBImage) -> Double {
  precondition(
    picture.pixels.count == other.pixels.count,
    "\(picture.pixels.count) and \(other.pixels.count) values")
  var sum = 0
  for (a, b) in zip(picture.pixels, other.pixels) {
    let difference = Int(a) - Int(b)
    sum += difference * difference
  }
  let error = max(1e-6, Double(sum) / Double(picture.pixels.count))
  return 10 * log10(255 * 255 / error)
}
