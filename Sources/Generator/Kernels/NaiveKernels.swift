import Foundation

/// The textbook definitions of the kernels in double precision, slow and plain: what
/// ``KernelCase`` compares with.
enum NaiveKernels {
  static func linear(
    _ x: [Float], _ w: [Float], _ bias: [Float], inputs: Int
  ) -> [Double] {
    var y: [Double] = []
    for row in 0..<x.count / inputs {
      for output in bias.indices {
        var sum = Double(bias[output])
        for k in 0..<inputs { sum += Double(x[row * inputs + k]) * Double(w[output * inputs + k]) }
        y.append(sum)
      }
    }
    return y
  }

  /// `x` `[batch, height, width, inputs]`, `w` `[outputs, inputs, kernel, kernel]`.
  static func convolution(
    _ x: Tensor, _ w: Tensor, _ bias: [Float], geometry: ConvolutionGeometry
  ) -> [Double] {
    let (height, width, inputs) = (x.shape[1], x.shape[2], x.shape[3])
    let (outputs, kernel) = (bias.count, geometry.kernel)
    let (values, weights) = (x.values, w.values)
    var y: [Double] = []
    for image in 0..<x.shape[0] {
      for row in 0..<geometry.outputLength(height) {
        for column in 0..<geometry.outputLength(width) {
          var sums = bias.map { Double($0) }
          for tap in 0..<kernel * kernel {
            let sourceRow = row * geometry.stride - geometry.paddingBefore + tap / kernel
            let sourceColumn = column * geometry.stride - geometry.paddingBefore + tap % kernel
            guard (0..<height).contains(sourceRow), (0..<width).contains(sourceColumn) else {
              continue
            }
            let start = ((image * height + sourceRow) * width + sourceColumn) * inputs
            for input in 0..<inputs {
              for output in 0..<outputs {
                sums[output] +=
                  Double(values[start + input])
                  * Double(weights[(output * inputs + input) * kernel * kernel + tap])
              }
            }
          }
          y += sums
        }
      }
    }
    return y
  }

  /// Query, key and value `[batch, tokens, heads * depth]`.
  static func attention(_ tensors: [Tensor], heads: Int, isCausal: Bool) -> [Double] {
    let (batch, queries, width) = (
      tensors[0].shape[0], tensors[0].shape[1], tensors[0].shape[2]
    )
    let (keys, depth) = (tensors[1].shape[1], width / heads)
    let values = tensors.map(\.values)
    var y = [Double](repeating: 0, count: batch * queries * width)
    for image in 0..<batch {
      for head in 0..<heads {
        for query in 0..<queries {
          let start = (image * queries + query) * width + head * depth
          func keyStart(_ key: Int) -> Int { (image * keys + key) * width + head * depth }
          let seen = isCausal ? query + 1 : keys
          let scores = (0..<seen).map { key in
            (0..<depth).reduce(0.0) {
              $0 + Double(values[0][start + $1]) * Double(values[1][keyStart(key) + $1])
            } / Double(depth).squareRoot()
          }
          let top = scores.max() ?? 0
          let weights = scores.map { exp($0 - top) }
          let total = weights.reduce(0, +)
          for (key, weight) in weights.enumerated() {
            for d in 0..<depth {
              y[start + d] += weight / total * Double(values[2][keyStart(key) + d])
            }
          }
        }
      }
    }
    return y
  }

  /// `[batch, pixels, 1, channels]`, weight and bias.
  static func groupNorm(
    _ tensors: [Tensor], groups: Int, epsilon: Double, silu: Bool
  ) -> [Double] {
    let (batch, pixels, channels) = (
      tensors[0].shape[0], tensors[0].shape[1], tensors[0].shape[3]
    )
    let (x, weight, bias) = (tensors[0].values, tensors[1].values, tensors[2].values)
    let size = channels / groups
    var y = [Double](repeating: 0, count: x.count)
    for image in 0..<batch {
      for group in 0..<groups {
        let places = (0..<pixels).flatMap { pixel in
          (group * size..<(group + 1) * size).map { (image * pixels + pixel) * channels + $0 }
        }
        let mean = places.reduce(0.0) { $0 + Double(x[$1]) } / Double(places.count)
        let variance =
          places.reduce(0.0) { $0 + (Double(x[$1]) - mean) * (Double(x[$1]) - mean) }
          / Double(places.count)
        for place in places {
          let normed = (Double(x[place]) - mean) / (variance + epsilon).squareRoot()
          let z = normed * Double(weight[place % channels]) + Double(bias[place % channels])
          y[place] = silu ? z / (1 + exp(-z)) : z
        }
      }
    }
    return y
  }
}
