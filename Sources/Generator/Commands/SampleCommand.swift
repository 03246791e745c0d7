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
      (cat.png becomes cat-0001.png) and all of them to the contact sheet --sheet. With \
      --prompt-table, --out is a folder.
      """)

  @Option(help: "Directory of the model in the layout of diffusers; stickers comes along.")
  var model = ShareLocation.shippedModel

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

  @Option(
    help: ArgumentHelp(
      "File with a seed, a tab and a prompt on each line; writes SEED.png into --out.",
      discussion: "After another tab come categories to find in that picture, split by commas."))
  var promptTable: String?

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

  @OptionGroup var grounding: SampleGrounding

  /// One picture.
  struct Job: Equatable {
    let prompt: String
    let seed: UInt64
    /// What is to be found in the picture; nil leaves it to the command line.
    var categories: [String]?
  }

  private static let maximumTableRows = 100_000
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
    let sources = [!prompt.isEmpty, promptFile != nil, promptTable != nil]
    guard sources.filter(\.self).count == 1 else {
      throw ValidationError("give one of --prompt, --prompt-file and --prompt-table")
    }
    guard promptTable == nil || (count == 1 && sheet == nil) else {
      throw ValidationError("--prompt-table goes without --count and --sheet")
    }
  }

  func run() throws {
    let jobs = try jobs()
    var directory = try ModelDirectory.named(model)
    directory.checkpoint = checkpoint
    directory.autoencoder = vae
    directory.adapters = try lora.map(Self.adapter)
    let model = try DiffusionModel(
      directory: directory, workspace: Workspace(threadCount: threads))
    let side = model.unet.configuration.sampleSize * model.autoencoder.downsampling
    let finder = try grounding.finder(model, jobs)
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
      for (index, (job, picture)) in zip(part, model.pictures(result.latent)).enumerated() {
        let path = path(of: job, entries.count, of: jobs.count)
        try PNG.write(picture, to: path)
        try finder?.write(
          picture, latent: result.latent.slice(index..<index + 1), job: job, path: path)
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
    print("\(entries.count) picture(s), the first in \(path(of: jobs[0], 0, of: jobs.count))")
  }

  private static func adapter(_ text: String) throws -> LowRankAdapter {
    guard let place = text.lastIndex(of: "=") else { return try LowRankAdapter(path: text) }
    guard let scale = Float(text[text.index(after: place)...]), scale.isFinite else {
      throw ValidationError("--lora '\(text)': the weight is not a number")
    }
    return try LowRankAdapter(path: String(text[..<place]), scale: scale)
  }

  /// What is drawn, in order; at least one.
  private func jobs() throws -> [Job] {
    if let promptTable {
      try FileManager.default.createDirectory(
        atPath: output, withIntermediateDirectories: true)
      return try Self.jobs(inTable: promptTable)
    }
    let prompts = try promptFile.map(Self.prompts(inFile:)) ?? prompt
    guard prompts.count * count <= Self.maximumPictures else {
      throw ValidationError(
        "\(prompts.count * count) pictures; at most \(Self.maximumPictures) are allowed")
    }
    return prompts.flatMap { prompt in
      (0..<count).map { Job(prompt: prompt, seed: seed &+ UInt64($0)) }
    }
  }

  /// The lines of a table: a seed, a tab, a prompt; and categories behind another tab.
  static func jobs(inTable file: String) throws -> [Job] {
    let jobs = try prompts(inFile: file).map { line in
      let parts = line.split(separator: "\t").map(String.init)
      guard (2...3).contains(parts.count), let seed = UInt64(parts[0]) else {
        throw ValidationError(
          "\(file): '\(line.prefix(40))'; expected a seed, a tab and a prompt on each line, and "
            + "categories behind another tab where they are to be found")
      }
      return Job(
        prompt: parts[1], seed: seed,
        categories: parts.count == 3 ? try GroundOutput.categories(parts[2]) : nil)
    }
    guard jobs.count <= maximumTableRows, Set(jobs.map(\.seed)).count == jobs.count else {
      throw ValidationError(
        "\(file): \(jobs.count) lines; expected at most \(maximumTableRows), each seed once")
    }
    return jobs
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

  private func path(of job: Job, _ index: Int, of total: Int) -> String {
    if promptTable != nil { return "\(output)/\(job.seed).png" }
    guard total > 1 else { return output }
    let digits = String(index + 1)
    let number = String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    let isPNG = output.lowercased().hasSuffix(".png")
    return (isPNG ? String(output.dropLast(4)) : output) + "-\(number).png"
  }
}
