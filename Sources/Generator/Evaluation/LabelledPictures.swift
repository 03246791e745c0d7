import Formats
import Imaging
import Schema

/// Pictures with masks from a folder, sorted into the kinds of Protocol I: such as drawn pictures with
/// the masks of a detector or of a segmentation network that knows all categories.
package struct LabelledPictures: Sendable {
  /// The pictures of each kind.
  package private(set) var pictures: [ProtocolCell: [TrainingExample]] = [:]
  /// Pictures that show other than one or two categories, or one that the split does not have.
  package private(set) var skipped = 0

  /// Reads a folder of PNG images and masks with an index, as `groundwell import` does; pictures are
  /// brought to `side` by `side` pixels.
  ///
  /// - Throws: ``GeneratorError/Code/fileAccess`` that names the index or the picture.
  package init(folder: String, split: Split, side: Int) throws(GeneratorError) {
    let (seen, unseen) = (Set(split.seen), Set(split.unseen))
    var number: Int64 = 0
    do throws(FormatError) {
      let reader = try FolderReader(folder)
      for position in 0..<reader.itemCount {
        guard let item = try reader.item(position) else { continue }
        var masks: [(category: CategoryName, mask: BinaryMask)] = []
        for (info, mask) in item.masks {
          let small = Resize.nearest(mask, width: side, height: side)
          if let place = masks.firstIndex(where: { $0.category == info.category }) {
            masks[place].mask = masks[place].mask.joined(with: small)
          } else {
            masks.append((info.category, small))
          }
        }
        let isSeen = masks.map { seen.contains($0.category) }
        let isKnown = zip(masks, isSeen).allSatisfy { $1 || unseen.contains($0.category) }
        guard isKnown, let cell = ProtocolCell(isSeen: isSeen) else {
          skipped += 1
          continue
        }
        number += 1
        pictures[cell, default: []].append(
          TrainingExample(
            triplet: number,
            image: Resize.image(item.image, width: side, height: side),
            prompt: item.prompt, masks: masks,
            counts: [UInt8](repeating: 1, count: side * side)))
      }
    } catch {
      throw GeneratorError(.fileAccess, error.message)
    }
    guard !pictures.isEmpty else {
      throw GeneratorError(
        .fileAccess,
        "\(folder): no picture of one or two categories of the split '\(split.name)'; "
          + "\(skipped) of others")
    }
  }
}

extension ProtocolCell {
  /// The kind of a picture by whether each of its categories is seen; nil for none or more than two.
  fileprivate init?(isSeen: [Bool]) {
    switch (isSeen.count, isSeen.filter(\.self).count) {
    case (1, 1): self = .oneSeen
    case (1, 0): self = .oneUnseen
    case (2, 2): self = .twoSeen
    case (2, 1): self = .twoMixed
    case (2, 0): self = .twoUnseen
    default: return nil
    }
  }
}

extension BinaryMask {
  /// The pixels that are in either mask.
  fileprivate func joined(with other: BinaryMask) -> BinaryMask {
    BinaryMask(width: width, height: height, values: zip(values, other.values).map { $0 | $1 })
  }
}
