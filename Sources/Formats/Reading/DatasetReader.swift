package import Schema

/// One item of a data set, on its way into a store.
package struct DatasetItem: Sendable {
  /// Its name within the data set.
  package let name: String
  /// The text that goes with it.
  package let prompt: String
  /// The pixels.
  package let image: RGBImage
  /// Its masks, none of them empty.
  package let masks: [(info: MaskInfo, mask: BinaryMask)]

  /// Checks an item by the rules of every store.
  ///
  /// - Throws: ``FormatError/Code/badItem``.
  package init(
    name: String, prompt: String, image: RGBImage, masks: [(info: MaskInfo, mask: BinaryMask)]
  ) throws(FormatError) {
    do throws(SchemaError) {
      try Triplet(
        image: image, masks: masks, prompt: prompt,
        provenance: Provenance(
          engine: TripletImport.engine, seed: 0, worker: "-", createdMicroseconds: 0)
      ).validate()
    } catch {
      throw FormatError(.badItem, error.message)
    }
    self.name = name
    self.prompt = prompt
    self.image = image
    self.masks = masks
  }

  /// About how many bytes it takes on the way to the daemon.
  package var byteCount: Int { image.pixels.count + masks.count * image.width * image.height + 256 }
}

/// A data set whose index has been read; its pictures are read one by one.
package protocol DatasetReader {
  /// How many items it has.
  var itemCount: Int { get }
  /// What is wrong with the index besides its items, one sentence each.
  var problems: [String] { get }
  /// The name of an item, unique within the data set.
  func itemName(_ index: Int) -> String
  /// Reads an item; nil when it has no mask.
  ///
  /// - Throws: ``FormatError/Code/badItem``.
  func item(_ index: Int) throws(FormatError) -> DatasetItem?
}

/// Numbers the objects of each category of one image, in their order.
struct InstanceCounter {
  private var next: [CategoryName: Int] = [:]
  private var used = Set<String>()

  /// The next number of a category, or the wanted one where it is free.
  mutating func number(_ category: CategoryName, wanted: Int? = nil) -> Int {
    if let wanted, wanted >= 0, used.insert("\(wanted) \(category)").inserted { return wanted }
    var number = next[category, default: 0]
    while !used.insert("\(number) \(category)").inserted { number += 1 }
    next[category] = number + 1
    return number
  }
}
