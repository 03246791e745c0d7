/// Horizontal bars made of block characters, an eighth of a column exact.
package enum Bar {
  private static let eighths = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"]

  /// A solid run for `value`, with what follows it up to `total` in lighter shades.
  ///
  /// - Parameters:
  ///   - value: drawn solid; anything above zero shows at least an eighth of a column.
  ///   - rest: runs behind it, each with the shade that fills it.
  ///   - scale: the value that fills all `width` columns; at least 1.
  package static func stacked(
    value: Int, colour: TextStyle.Colour?,
    rest: [(value: Int, shade: Character, colour: TextStyle.Colour?)], scale: Int, width: Int
  ) -> StyledText {
    let unit = Double(width) / Double(max(1, scale))
    var end = Double(max(0, value)) * unit
    var used = Int((end * 8).rounded())
    if value > 0 { used = max(1, used) }
    let solid = min(width * 8, used)
    let solidText = String(repeating: "█", count: solid / 8) + eighths[solid % 8]
    var bar = StyledText(solidText, colour)
    var columns = (solid + 7) / 8
    for run in rest where run.value > 0 {
      end += Double(run.value) * unit
      let last = min(width, max(Int(end.rounded()), columns))
      bar.append(String(repeating: run.shade, count: last - columns), run.colour)
      columns = last
    }
    return bar
  }
}
