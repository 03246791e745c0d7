import Foundation

/// A named partition of categories into those a module had masks of and those it never saw.
public struct SplitData: Codable, Sendable, Equatable {
  /// Its name, such as `pascal-1`.
  public var name: String
  /// Categories that are trained on.
  public var seen: [CategoryName]
  /// Categories that are held out.
  public var unseen: [CategoryName]
  /// Where it comes from, and what was changed.
  public var note: String

  /// Creates a split.
  public init(name: String, seen: [CategoryName], unseen: [CategoryName], note: String) {
    self.name = name
    self.seen = seen
    self.unseen = unseen
    self.note = note
  }

  /// The splits that every store knows: PASCAL 1 to 3, COCO 1 to 3 cleaned, ZS3, stickers 1 to 3.
  ///
  /// `catalog/splits.json` repeats the generator's files; a test holds the two together.
  ///
  /// - Throws: ``SchemaError/Code/badJSON`` when this build's own data is broken.
  public static func builtIn() throws(SchemaError) -> [SplitData] {
    try JSONText.decode([SplitData].self, from: PackageResources.splits_json)
  }
}
