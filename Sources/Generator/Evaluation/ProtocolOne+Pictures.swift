import Imaging
package import Schema

extension ProtocolOne {
  /// Pixels of a tile on a sheet.
  private static let tileSide = 96

  /// The mean score of each method in each kind of pictures, as bars; of a baseline with several
  /// thresholds the best one in each.
  ///
  /// - Throws: ``GeneratorError/Code/fileAccess`` when it cannot be drawn.
  package static func chart(_ scores: [Score], title: String) throws(GeneratorError) -> RGBImage {
    var names: [String] = []
    for score in scores where !names.contains(score.family) { names.append(score.family) }
    // A chart has room for eight colours; what comes last, the modules, matters most.
    names = Array(names.suffix(8))
    let rows = ProtocolCell.allCases.map { cell in
      BarChart.Row(
        label: cell.rawValue,
        values: names.map { name in
          100 * (scores.filter { $0.family == name && $0.cell == cell }.map(\.mean).max() ?? 0)
        })
    }
    let series = names.enumerated().map { BarChart.Series(name: $1, color: Palette.color($0)) }
    return try drawn {
      BarChart(
        title: title, axisLabel: "mean intersection over union, percent", series: series,
        rows: rows, width: 1400)
    }
  }

  /// A method's scores by category in pictures of one object, the worst first.
  ///
  /// - Throws: ``GeneratorError/Code/fileAccess`` when it cannot be drawn.
  package static func categoryChart(
    _ scores: [Score], method: String, cell: ProtocolCell
  ) throws(GeneratorError) -> RGBImage {
    let score = scores.first { $0.method == method && $0.cell == cell }
    let rows = (score?.categories ?? [:]).sorted { ($0.value, $0.key) < ($1.value, $1.key) }
      .prefix(BarChart.maximumRows).map { BarChart.Row(label: $0.key, values: [100 * $0.value]) }
    return try drawn {
      BarChart(
        title: "\(method): \(cell.rawValue)",
        axisLabel: "mean intersection over union, percent",
        series: [BarChart.Series(name: method, color: Palette.color(0))], rows: rows)
    }
  }

  /// Pictures of a kind, each beside itself with the masks that a method finds: the first one of
  /// every category.
  ///
  /// - Throws: what the method throws, and ``GeneratorError/Code/fileAccess``.
  package func sheet(
    _ method: some MaskMethod, cell: ProtocolCell, title: String
  ) throws(GeneratorError) -> RGBImage {
    var met: Set<CategoryName> = []
    let examples = examples(cell).filter { example in
      example.masks.count == cell.objectCount && met.insert(example.masks[0].category).inserted
    }
    var entries: [ContactSheet.Entry] = []
    for example in examples {
      let found = try method.masks([example])
      let ratios = zip(found, example.masks).map { MaskScore($0, $1.mask.values).ratio }
      let mean = ratios.reduce(0, +) / Double(max(ratios.count, 1))
      let masks = zip(found, example.masks).map { values, target in
        (
          name: target.category.text,
          mask: BinaryMask(
            width: example.image.width, height: example.image.height, values: values)
        )
      }
      entries.append(
        ContactSheet.Entry(
          image: example.image,
          captions: ["IoU \((mean * 100).rounded() / 100)"], masks: masks))
    }
    do throws(ImagingError) {
      return try ContactSheet(
        title: title, columns: 8, tileSide: Self.tileSide, showsPlainImage: true, entries: entries
      ).render()
    } catch {
      throw GeneratorError(.fileAccess, "no sheet: \(error.message)", cause: error)
    }
  }

  private static func drawn(_ chart: () -> BarChart) throws(GeneratorError) -> RGBImage {
    do throws(ImagingError) {
      return try chart().render()
    } catch {
      throw GeneratorError(.fileAccess, "no chart: \(error.message)", cause: error)
    }
  }
}
