import ArgumentParser
import Foundation
import Imaging
import Schema

/// `groundwell-generator sample`.
struct SampleCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sample", abstract: "Draws pictures with a latent diffusion model.",
    discussion: """
      One picture goes to --out itself; several go to numbered files beside it \
      (cat.png becomes cat-0001.png) and all of them to the contact sheet --sheet.
      """)

  @Option(help: "Directory of the model in the layout of diffusers.")
  var model: String

  @Option(help: "A single-file checkpoint (CompVis names) to use instead of the model's weights.")
  var checkpoint: String?

  @Option(help: "Directory of another autoencoder, such as TAESD, to use instead of the model's.")
  var vae: String?

  @Option(help: "A LoRA file to add, FILE or FILE=WEIGHT; give it again for more.")
  var lora: [String] = []

  @Option(help: "What to draw; give it again for more.")
  var prompt: [String] = []

  @Option(help: "File with one prompt on each line.")
  var promptFile: String?

  @Option(help: "What not to draw.")
  var negativePrompt = ""

  @Option(help: "Seed of the first picture of each prompt; each next one adds 1.")
  var seed: UInt64 = 0

  @Option(help: "Pictures of each prompt.")
  var count = 1

  @Option(help: "Denoising steps.")
  var steps = 50

  @Option(help: "Weight of the prompt against the negative prompt; up to 1 turns it off.")
  var guidance: Float = 7.5

  @Option(help: "Columns, a multiple of 8; what the model was trained on when left out.")
  var width: Int?

  @Option(help: "Rows, a multiple of 8; what the model was trained on when left out.")
  var height: Int?

  @Option(help: "ddim, pndm, euler, dpm or lcm; the model's own when left out.")
  var sampler: String?

  @Option(help: "Pictures that are drawn at once.")
  var batch = 1

  @Option(help: "Threads to use.")
  var threads = ProcessInfo.processInfo.activeProcessorCount

  @Option(name: [.customLong("out"), .customShort("o")], help: "The PNG file to write.")
  var output: String

  @Option(help: "A contact sheet of all pictures, as PNG.")
  var sheet: String?

  private static let maximumPictures = ContactSheet.maximumEntries
  private static let maximumPromptFileBytes = 16 << 20

  func validate() throws {
    guard (1...Self.maximumPictures).contains(count) else {
      throw ValidationError("--count is \(count); expected 1 to \(Self.maximumPictures)")
    }
    guard (1...DiffusionModel.maximumBatch).contains(batch) else {
      throw ValidationError("--batch is \(batch); expected 1 to \(DiffusionModel.maximumBatch)")
    }
    guard (1...1024).contains(threads) else {
      throw ValidationError("--threads is \(threads); expected 1 to 1024")
    }
    if let sampler, SamplerKind(rawValue: sampler) == nil {
      let names = SamplerKind.allCases.map(\.rawValue).joined(separator: ", ")
      throw ValidationError("--sampler is '\(sampler)'; expected one of \(names)")
    }
    guard prompt.isEmpty != (promptFile == nil) else {
      throw ValidationError("give either --prompt or --prompt-file")
    }
  }

  func run() throws {
    let prompts = try allPrompts()
    let jobs = prompts.flatMap { prompt in
      (0..<count).map { (prompt: prompt, seed: seed &+ UInt64($0)) }
    }
    guard jobs.count <= Self.maximumPictures else {
      throw ValidationError("\(jobs.count) pictures; at most \(Self.maximumPictures) are allowed")
    }
    var directory = try ModelDirectory(path: model)
    directory.checkpoint = checkpoint
    directory.autoencoder = vae
    directory.adapters = try lora.map(Self.adapter)
    let model = try DiffusionModel(
      directory: directory, workspace: Workspace(threadCount: threads))
    let side = model.unet.configuration.sampleSize * model.autoencoder.downsampling
    let progress = ProgressLine(total: (jobs.count + batch - 1) / batch)
    var entries: [ContactSheet.Entry] = []
    for first in stride(from: 0, to: jobs.count, by: batch) {
      let part = jobs[first..<min(first + batch, jobs.count)]
      var request = SamplingRequest(prompts: part.map(\.prompt), seeds: part.map(\.seed))
      request.negativePrompt = negativePrompt
      (request.steps, request.guidanceScale) = (steps, guidance)
      (request.width, request.height) = (width ?? side, height ?? side)
      request.sampler = sampler.flatMap(SamplerKind.init)
      let result = try model.sample(request) { step, steps, _ in
        progress.show(done: first / batch, step: step, steps: steps)
      }
      for cut in Set(result.truncated) {
        progress.note("cut after 75 tokens: '\(cut.prefix(60))…'")
      }
      for (job, picture) in zip(part, model.pictures(result.latent)) {
        try PNG.write(picture, to: path(entries.count, of: jobs.count))
        entries.append(
          ContactSheet.Entry(image: picture, captions: [job.prompt, "seed \(job.seed)"]))
      }
    }
    progress.end()
    if let sheet {
      let subtitle = "\(steps) steps, guidance \(guidance)"
      try PNG.write(
        ContactSheet(title: "Samples", subtitle: subtitle, tileSide: 256, entries: entries)
          .render(), to: sheet)
    }
    print("\(entries.count) picture(s) in \(path(0, of: jobs.count))")
  }

  private static func adapter(_ text: String) throws -> LowRankAdapter {
    guard let place = text.lastIndex(of: "=") else { return try LowRankAdapter(path: text) }
    guard let scale = Float(text[text.index(after: place)...]), scale.isFinite else {
      throw ValidationError("--lora '\(text)': the weight is not a number")
    }
    return try LowRankAdapter(path: String(text[..<place]), scale: scale)
  }

  private func allPrompts() throws -> [String] {
    guard let promptFile else { return prompt }
    return try Self.prompts(inFile: promptFile)
  }

  /// The lines of a file that are not blank.
  static func prompts(inFile promptFile: String) throws -> [String] {
    let file = try MappedFile(path: promptFile)
    guard file.count <= maximumPromptFileBytes else {
      throw ValidationError(
        "\(promptFile): \(file.count) bytes; at most \(maximumPromptFileBytes) are allowed")
    }
    let lines = file.bytes(0..<file.count).split(
      separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    var prompts: [String] = []
    for (index, line) in lines.enumerated() {
      do throws(GeneratorError) {
        let prompt = try DiffusionModel.prompt(Array(line))
          .trimmingCharacters(in: .whitespacesAndNewlines)
        if !prompt.isEmpty { prompts.append(prompt) }
      } catch {
        throw GeneratorError(error.code, "\(promptFile), line \(index + 1): \(error.message)")
      }
    }
    guard !prompts.isEmpty else { throw ValidationError("\(promptFile): no prompt in it") }
    return prompts
  }

  private func path(_ index: Int, of total: Int) -> String {
    guard total > 1 else { return output }
    let digits = String(index + 1)
    let number = String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    let isPNG = output.lowercased().hasSuffix(".png")
    return (isPNG ? String(output.dropLast(4)) : output) + "-\(number).png"
  }
}

/// One line on standard error that shows how far the work is, where that is a terminal.
private final class ProgressLine {
  private let total: Int
  private let started = ContinuousClock.now
  private let isTerminal = isatty(STDERR_FILENO) == 1

  init(total: Int) { self.total = total }

  func show(done: Int, step: Int, steps: Int) {
    guard isTerminal else { return }
    let share = (Double(done) + Double(step) / Double(steps)) / Double(total)
    let left = Int((seconds(since: started) * (1 - share) / share).rounded())
    let filled = Int(share * 30)
    let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: 30 - filled)
    write("\r[\(bar)] step \(step)/\(steps), \(left / 60) min \(left % 60) s left   ")
  }

  func note(_ text: String) { write((isTerminal ? "\n" : "") + "warning: \(text)\n") }

  func end() { if isTerminal { write("\n") } }

  private func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }
}
