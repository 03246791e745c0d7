import Foundation
import Schema
import Testing

@testable import Generator

/// The model that ships: small enough, in working order, and with the vocabulary that it promises.
@Suite struct ShippedModelTests {
  private static let maximumParameters = 12_000_000
  private static let maximumBytes = 24_000_000
  /// The names of PASCAL VOC as the sprites spell them; there is no drawing of a dining table.
  private static let pascal = [
    "airplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "couch",
    "dog", "horse", "motorcycle", "person", "potted plant", "sheep", "train", "tv",
  ]

  private let directory: ModelDirectory

  init() throws {
    let resources = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Sources/Generator/Resources/stickers")
    directory = try ModelDirectory(path: resources.path)
  }

  @Test("it has at most 12 M parameters and 24 MB, in half precision")
  func isSmall() throws {
    var (parameters, bytes) = (0, 0)
    for part in ModelDirectory.Part.allCases {
      for file in try directory.weightFiles(part) {
        for entry in try SafetensorsFile(path: file).entries.values {
          #expect(entry.elementType == "F16", "\(file)")
          parameters += entry.shape.reduce(1, *)
          bytes += entry.range.count
        }
      }
    }
    #expect(parameters > 5_000_000 && parameters <= Self.maximumParameters)
    #expect(bytes <= Self.maximumBytes)
  }

  @Test("its categories are sprites, PASCAL's names among them, each word one token")
  func hasVocabulary() throws {
    let names = try #require(try directory.categories())
    #expect(Set(names).count == names.count && names.count == 256)
    #expect(Set(Self.pascal).subtracting(names).isEmpty)
    let tokenizer = try Tokenizer(directory: directory.path + "/tokenizer")
    for name in names {
      let words = name.split(separator: " ").count
      #expect(try tokenizer.encode(name, length: 32).textTokenCount == words, "\(name)")
    }
    let prompt = "a photograph of two teddy bears and a potted plant on a wooden floor"
    #expect(try tokenizer.encode(prompt, length: 32).textTokenCount == 14)
  }

  @Test("any other text is encoded as well, by bytes")
  func encodesAnything() throws {
    let tokenizer = try Tokenizer(directory: directory.path + "/tokenizer")
    for text in ["zyzzyva", "Ünïcödé", "猫", "🦄", "x-ray 3/4"] {
      let encoding = try tokenizer.encode(text, length: 32)
      #expect(encoding.textTokenCount >= 1 && !encoding.isTruncated, "\(text)")
    }
  }

  @Test("it draws: another prompt from the same seed is another picture, the same one the same")
  func draws() throws {
    let model = try DiffusionModel(directory: directory, workspace: Workspace(threadCount: 1))
    func picture(_ prompt: String) throws -> RGBImage {
      var request = SamplingRequest(prompts: [prompt], seeds: [11])
      (request.width, request.height, request.steps, request.guidanceScale) = (64, 64, 10, 4)
      return model.pictures(try model.sample(request).latent)[0]
    }
    let cat = try picture("a photograph of a cat on the grass")
    let banana = try picture("a photograph of a banana on the water")
    #expect(try picture("a photograph of a cat on the grass") == cat)
    let differences = zip(cat.pixels, banana.pixels).map { abs(Int($0) - Int($1)) }
    #expect(Double(differences.reduce(0, +)) / Double(differences.count) > 12)
    #expect(Set(cat.pixels).count > 60)
  }
}
