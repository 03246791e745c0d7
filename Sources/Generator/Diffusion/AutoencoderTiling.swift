/// Decoding of large latents in overlapping tiles, so that memory does not grow with the picture.
///
/// The tiles, their overlap and the blending are those of `AutoencoderKL.tiled_decode` of diffusers.
enum AutoencoderTiling {
  /// Part of a tile that the next one covers as well.
  static let overlap = 0.25

  /// Decodes `latent` `[1, height, width, channels]` by tiles of `tileSide` latent pixels.
  ///
  /// - Parameters:
  ///   - pixelSide: pixels of a whole tile's side.
  ///   - decode: `[1, h, w, channels]` → `[1, h·f, w·f, 3]`.
  static func decode(
    _ latent: Tensor, tileSide: Int, pixelSide: Int, decode: (Tensor) -> Tensor
  ) -> Tensor {
    let stride = Int(Double(tileSide) * (1 - overlap))
    let blend = Int(Double(pixelSide) * overlap)
    let limit = pixelSide - blend
    var above: [Pixels] = []
    var rows: [[Pixels]] = []
    for top in Swift.stride(from: 0, to: latent.shape[1], by: stride) {
      var row: [Pixels] = []
      for left in Swift.stride(from: 0, to: latent.shape[2], by: stride) {
        let part = Pixels(latent).cropped(
          top: top, left: left, height: tileSide, width: tileSide)
        var tile = Pixels(decode(latent.workspace.tensor(part.values, shape: part.shape)))
        if above.indices.contains(row.count) { tile.blendRows(after: above[row.count], blend) }
        if let left = row.last { tile.blendColumns(after: left, blend) }
        row.append(tile)
      }
      above = row
      rows.append(row.map { $0.cropped(top: 0, left: 0, height: limit, width: limit) })
    }
    return joined(rows, workspace: latent.workspace)
  }

  private static func joined(_ rows: [[Pixels]], workspace: Workspace) -> Tensor {
    let height = rows.reduce(0) { $0 + $1[0].height }
    let width = rows[0].reduce(0) { $0 + $1.width }
    var values: [Float] = []
    values.reserveCapacity(height * width * 3)
    for row in rows {
      for line in 0..<row[0].height {
        for tile in row {
          let length = tile.width * tile.channels
          values += tile.values[line * length..<(line + 1) * length]
        }
      }
    }
    return workspace.tensor(values, shape: [1, height, width, 3])
  }
}

/// `[height, width, channels]` values that are changed in place.
private struct Pixels {
  let height: Int
  let width: Int
  let channels: Int
  var values: [Float]

  var shape: [Int] { [1, height, width, channels] }

  init(_ tensor: Tensor) {
    precondition(tensor.shape[0] == 1, "tiles of a batch \(tensor.shape)")
    self.init(
      height: tensor.shape[1], width: tensor.shape[2], channels: tensor.shape[3],
      values: tensor.values)
  }

  init(height: Int, width: Int, channels: Int, values: [Float]) {
    self.height = height
    self.width = width
    self.channels = channels
    self.values = values
  }

  func cropped(top: Int, left: Int, height: Int, width: Int) -> Pixels {
    let (bottom, right) = (min(top + height, self.height), min(left + width, self.width))
    var result: [Float] = []
    for row in top..<bottom {
      let start = row * self.width
      result += values[(start + left) * channels..<(start + right) * channels]
    }
    return Pixels(
      height: bottom - top, width: right - left, channels: channels, values: result)
  }

  /// Fades from the last rows of `other` to the first of this.
  mutating func blendRows(after other: Pixels, _ extent: Int) {
    let count = min(other.height, height, extent)
    for row in 0..<count {
      let weight = Float(row) / Float(count)
      for index in 0..<min(width, other.width) * channels {
        let source = (other.height - count + row) * other.width * channels + index
        let at = row * width * channels + index
        values[at] = other.values[source] * (1 - weight) + values[at] * weight
      }
    }
  }

  /// Fades from the last columns of `other` to the first of this.
  mutating func blendColumns(after other: Pixels, _ extent: Int) {
    let count = min(other.width, width, extent)
    for row in 0..<min(height, other.height) {
      for column in 0..<count {
        let weight = Float(column) / Float(count)
        for channel in 0..<channels {
          let source = (row * other.width + other.width - count + column) * channels + channel
          let at = (row * width + column) * channels + channel
          values[at] = other.values[source] * (1 - weight) + values[at] * weight
        }
      }
    }
  }
}
