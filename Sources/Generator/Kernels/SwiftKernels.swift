/// Sixteen floats, the width that the kernels in `CKernels` work with.
private typealias Lanes = SIMD16<Float>

/// Inner loops in Swift: those that the networks use as they are, and versions of those in `CKernels`.
///
/// A kernel is written in C only where `groundwell-generator bench kernels --compare-swift` shows it
/// more than ``KernelComparison/requiredRatio`` times as fast as its version here, which has the
/// baseline instructions of the architecture and nothing wider. Moving and adding values gains
/// less, so that is done here.
enum SwiftKernels {
  // Safe throughout: callers pass pointers to as many values as the other arguments say, just as
  // they do to `CKernels`; loads and stores ask for no alignment.

  @inline(__always)
  private static func load(_ pointer: UnsafePointer<Float>) -> Lanes {
    unsafe UnsafeRawPointer(pointer).loadUnaligned(as: Lanes.self)
  }

  @inline(__always)
  private static func store(_ value: Lanes, _ pointer: UnsafeMutablePointer<Float>) {
    unsafe UnsafeMutableRawPointer(pointer).storeBytes(of: value, as: Lanes.self)
  }

  @inline(__always)
  private static func bits(_ x: Lanes) -> SIMD16<Int32> {
    // Safe: both are 64 bytes in which every bit pattern is a value.
    unsafe unsafeBitCast(x, to: SIMD16<Int32>.self)
  }

  @inline(__always)
  private static func floats(_ x: SIMD16<Int32>) -> Lanes {
    // Safe: as above.
    unsafe unsafeBitCast(x, to: Lanes.self)
  }

  /// `a` where `sign` is negative, else `b`; masks and comparisons of SIMD types are many times slower.
  @inline(__always)
  private static func whereNegative(_ sign: Lanes, _ a: Lanes, _ b: Lanes) -> Lanes {
    let mask = bits(sign) &>> 31
    return floats((bits(a) & mask) | (bits(b) & ~mask))
  }

  @inline(__always)
  private static func clamped(_ x: Lanes, _ low: Float, _ high: Float) -> Lanes {
    let (least, most) = (Lanes(repeating: low), Lanes(repeating: high))
    let above = whereNegative(x - least, least, x)
    return whereNegative(most - above, most, above)
  }

  @inline(__always)
  private static func sum(_ x: Lanes) -> Float {
    var sum: Float = 0
    for lane in 0..<16 { sum += x[lane] }
    return sum
  }

  /// 2ⁿ·p(r) with |r| ≤ ln 2 / 2, the polynomial of Cephes.
  @inline(__always)
  private static func exponential(_ value: Lanes) -> Lanes {
    let x = clamped(value, -87, 88)
    let shifted = x * 1.442_695_04 + 12_582_912
    let exponent = bits(shifted) &- 0x4B40_0000
    let n = shifted - 12_582_912
    let r = (x - n * 0.693_359_375) + n * 2.121_944_4e-4
    var p = r * 1.987_569_15e-4 + 1.398_199_95e-3
    p = p * r + 8.333_451_9e-3
    p = p * r + 4.166_579_6e-2
    p = p * r + 1.666_666_55e-1
    p = p * r + 5.000_000_1e-1
    p = p * r * r + r + 1
    return floats(bits(p) &+ (exponent &<< 23))
  }

  /// The error function as a rational function on −4…4.
  @inline(__always)
  private static func errorFunction(_ value: Lanes) -> Lanes {
    let x = clamped(value, -4, 4)
    let s = x * x
    var p = s * -2.726_142_3e-10 + 2.770_681_4e-08
    p = p * s + -2.101_024_0e-06
    p = p * s + -5.692_506_4e-05
    p = p * s + -7.349_906_3e-04
    p = p * s + -2.954_599_8e-03
    p = p * s + -1.609_603_3e-02
    var q = s * -1.456_607_2e-05 + -2.133_740_6e-04
    q = q * s + -1.682_827e-03
    q = q * s + -7.373_329_2e-03
    q = q * s + -1.426_473_9e-02
    return x * p / q
  }

  @inline(__always)
  private static func silu(_ z: Lanes) -> Lanes { z / (exponential(-z) + 1) }

  @inline(__always)
  private static func gelu(_ z: Lanes) -> Lanes {
    z * 0.5 * (errorFunction(z * 0.707_106_77) + 1)
  }

  /// Sixteen weights of any stored kind, 0 float32, 1 float16, 2 bfloat16.
  @inline(__always)
  private static func weights(_ values: UnsafeRawPointer, _ kind: Int32, _ index: Int) -> Lanes {
    if kind == 0 {
      return unsafe values.loadUnaligned(fromByteOffset: index * 4, as: Lanes.self)
    }
    let half = unsafe values.loadUnaligned(fromByteOffset: index * 2, as: SIMD16<UInt16>.self)
    let word = SIMD16<Int32>(truncatingIfNeeded: SIMD16<UInt32>(truncatingIfNeeded: half))
    if kind == 2 { return floats(word &<< 16) }
    let value = floats((word & 0x7FFF) &<< 13) * 0x1p112
    // Exponent 31 overflows into bit 15 when 1 is added to it.
    let special = (((word & 0x7C00) &+ 0x400) &<< 16) &>> 31 & 0x7F80_0000
    return floats(bits(value) | special | ((word & 0x8000) &<< 16))
  }

  // MARK: - Products

  static func panelProduct(
    _ a: UnsafePointer<Float>, _ lda: Int, _ b: UnsafePointer<Float>,
    _ c: UnsafeMutablePointer<Float>, _ ldc: Int, _ rows: Int, _ depth: Int, _ width: Int,
    _ accumulate: Bool
  ) {
    for column in stride(from: 0, to: width, by: 16) {
      var row = 0
      // Two rows of sixteen columns fill the sixteen registers of the baseline.
      while row + 2 <= rows {
        let (first, second) = unsafe (c + row * ldc + column, c + (row + 1) * ldc + column)
        var (one, two) = unsafe accumulate ? (load(first), load(second)) : (Lanes(), Lanes())
        for k in 0..<depth {
          let right = unsafe load(b + k * width + column)
          one += unsafe a[row * lda + k] * right
          two += unsafe a[(row + 1) * lda + k] * right
        }
        unsafe store(one, first)
        unsafe store(two, second)
        row += 2
      }
      if row < rows {
        let target = unsafe c + row * ldc + column
        var sum = unsafe accumulate ? load(target) : Lanes()
        for k in 0..<depth {
          sum += unsafe a[row * lda + k] * load(b + k * width + column)
        }
        unsafe store(sum, target)
      }
    }
  }

  /// Packs `width` columns of `w` `[depth, columns]` into a panel of `panel` columns.
  static func packPanel(
    _ w: UnsafePointer<Float>, _ columns: Int, _ column: Int, _ width: Int, _ panel: Int,
    _ row: Int, _ depth: Int, _ out: UnsafeMutablePointer<Float>
  ) {
    for k in 0..<depth {
      let target = unsafe out + k * panel
      unsafe target.update(from: w + (row + k) * columns + column, count: width)
      unsafe (target + width).update(repeating: 0, count: panel - width)
    }
  }

  /// Packs `count` rows of `k` as a panel `[depth, 32]`, transposed, zeros beyond `count`.
  static func packTransposed(
    _ k: UnsafePointer<Float>, _ ld: Int, _ count: Int, _ depth: Int,
    _ out: UnsafeMutablePointer<Float>
  ) {
    for j in 0..<32 {
      for d in 0..<depth { unsafe out[d * 32 + j] = j < count ? k[j * ld + d] : 0 }
    }
  }

  // MARK: - Convolution

  /// `to[tap][input][0..<panel] = from[output...][input][tap]`, zeros from `count` outputs on.
  static func convolutionPanel<Word: FixedWidthInteger>(
    _ from: UnsafePointer<Word>, _ inputs: Int, _ taps: Int, _ output: Int, _ count: Int,
    _ panel: Int, _ to: UnsafeMutablePointer<Word>
  ) {
    unsafe to.update(repeating: 0, count: taps * inputs * panel)
    for input in 0..<inputs {
      for tap in 0..<taps {
        let target = unsafe to + (tap * inputs + input) * panel
        for o in 0..<count {
          unsafe target[o] = from[((output + o) * inputs + input) * taps + tap]
        }
      }
    }
  }

  /// Rows of the matrix of a convolution's inputs; padding is zeros.
  static func unfold(
    _ image: UnsafePointer<Float>, height: Int, width: Int, channels: Int,
    geometry: ConvolutionGeometry, rows: Range<Int>, _ out: UnsafeMutablePointer<Float>
  ) {
    let (outHeight, outWidth) = (geometry.outputLength(height), geometry.outputLength(width))
    var target = unsafe out
    for row in rows {
      let base = unsafe image + row / (outHeight * outWidth) * height * width * channels
      let top = row / outWidth % outHeight * geometry.stride - geometry.paddingBefore
      let left = row % outWidth * geometry.stride - geometry.paddingBefore
      for y in top..<top + geometry.kernel {
        for x in left..<left + geometry.kernel {
          if y >= 0, y < height, x >= 0, x < width {
            unsafe target.update(from: base + (y * width + x) * channels, count: channels)
          } else {
            unsafe target.update(repeating: 0, count: channels)
          }
          unsafe target += channels
        }
      }
    }
  }

  private static let pointA: Float = 0.707_106_77
  private static let pointB: Float = 1.414_213_56

  private typealias Six = (Lanes, Lanes, Lanes, Lanes, Lanes, Lanes)

  @inline(__always)
  private static func inputTransform(_ d: Six) -> Six {
    let (even, odd) = (d.4 - 2 * d.2, pointA * d.3 - pointB * d.1)
    let (even2, odd2) = (d.4 - 0.5 * d.2, pointB * d.3 - pointA * d.1)
    return (
      d.0 - 2.5 * d.2 + d.4, even + odd, even - odd, even2 + odd2, even2 - odd2,
      d.1 - 2.5 * d.3 + d.5
    )
  }

  @inline(__always)
  private static func weightTransform(_ g: (Lanes, Lanes, Lanes)) -> Six {
    let (even, even2) = (g.0 + 0.5 * g.2, g.0 + 2 * g.2)
    let (odd, odd2) = (pointA * g.1, pointB * g.1)
    return (
      g.0, (even + odd) * (-2 / 3), (even - odd) * (-2 / 3), (even2 + odd2) * (1 / 6),
      (even2 - odd2) * (1 / 6), g.2
    )
  }

  @inline(__always)
  private static func outputTransform(_ d: Six) -> (Lanes, Lanes, Lanes, Lanes) {
    let (plus, minus, plus2, minus2) = (d.1 + d.2, d.1 - d.2, d.3 + d.4, d.3 - d.4)
    return (
      d.0 + plus + plus2, pointA * minus + pointB * minus2, 0.5 * plus + 2 * plus2,
      0.5 * pointA * minus + 2 * pointB * minus2 + d.5
    )
  }

  /// One tile row of planes: `value` goes to planes `6 * row` to `6 * row + 5`.
  @inline(__always)
  private static func store(
    _ value: Six, _ out: UnsafeMutablePointer<Float>, _ row: Int, _ stride: Int
  ) {
    let target = unsafe out + 6 * row * stride
    unsafe store(value.0, target)
    unsafe store(value.1, target + stride)
    unsafe store(value.2, target + 2 * stride)
    unsafe store(value.3, target + 3 * stride)
    unsafe store(value.4, target + 4 * stride)
    unsafe store(value.5, target + 5 * stride)
  }

  static func winogradInput(
    _ image: UnsafePointer<Float>, _ height: Int, _ width: Int, _ channels: Int, _ tilesY: Int,
    _ tilesX: Int, _ tiles: Range<Int>, _ v: UnsafeMutablePointer<Float>, _ stride: Int
  ) {
    for t in tiles {
      let base = unsafe image + t / (tilesY * tilesX) * height * width * channels
      let (y0, x0) = (t / tilesX % tilesY * 4 - 1, t % tilesX * 4 - 1)
      for c in Swift.stride(from: 0, to: channels, by: 16) {
        @inline(__always) func at(_ y: Int, _ x: Int) -> Lanes {
          guard y >= 0, y < height, x >= 0, x < width else { return Lanes() }
          return unsafe load(base + (y * width + x) * channels + c)
        }
        @inline(__always) func column(_ x: Int) -> Six {
          inputTransform(
            (at(y0, x), at(y0 + 1, x), at(y0 + 2, x), at(y0 + 3, x), at(y0 + 4, x), at(y0 + 5, x)))
        }
        let (a, b, c0) = (column(x0), column(x0 + 1), column(x0 + 2))
        let (d, e, f) = (column(x0 + 3), column(x0 + 4), column(x0 + 5))
        let out = unsafe v + (t - tiles.lowerBound) * channels + c
        unsafe store(inputTransform((a.0, b.0, c0.0, d.0, e.0, f.0)), out, 0, stride)
        unsafe store(inputTransform((a.1, b.1, c0.1, d.1, e.1, f.1)), out, 1, stride)
        unsafe store(inputTransform((a.2, b.2, c0.2, d.2, e.2, f.2)), out, 2, stride)
        unsafe store(inputTransform((a.3, b.3, c0.3, d.3, e.3, f.3)), out, 3, stride)
        unsafe store(inputTransform((a.4, b.4, c0.4, d.4, e.4, f.4)), out, 4, stride)
        unsafe store(inputTransform((a.5, b.5, c0.5, d.5, e.5, f.5)), out, 5, stride)
      }
    }
  }

  static func winogradWeights(
    _ w: UnsafeRawPointer, _ kind: Int32, _ first: Int, _ inputs: Int, _ input: Int, _ count: Int,
    _ panel: Int, _ u: UnsafeMutablePointer<Float>
  ) {
    for c in 0..<count {
      for j in Swift.stride(from: 0, to: panel, by: 16) {
        @inline(__always) func at(_ y: Int, _ x: Int) -> Lanes {
          unsafe weights(w, kind, first + ((3 * y + x) * inputs + input + c) * panel + j)
        }
        let left = weightTransform((at(0, 0), at(1, 0), at(2, 0)))
        let middle = weightTransform((at(0, 1), at(1, 1), at(2, 1)))
        let right = weightTransform((at(0, 2), at(1, 2), at(2, 2)))
        let (out, stride) = unsafe (u + c * panel + j, count * panel)
        unsafe store(weightTransform((left.0, middle.0, right.0)), out, 0, stride)
        unsafe store(weightTransform((left.1, middle.1, right.1)), out, 1, stride)
        unsafe store(weightTransform((left.2, middle.2, right.2)), out, 2, stride)
        unsafe store(weightTransform((left.3, middle.3, right.3)), out, 3, stride)
        unsafe store(weightTransform((left.4, middle.4, right.4)), out, 4, stride)
        unsafe store(weightTransform((left.5, middle.5, right.5)), out, 5, stride)
      }
    }
  }

  static func winogradOutput(
    _ m: UnsafePointer<Float>, _ stride: Int, _ panel: Int, _ bias: UnsafePointer<Float>,
    _ image: UnsafeMutablePointer<Float>, _ height: Int, _ width: Int, _ outputs: Int,
    _ output: Int, _ tilesY: Int, _ tilesX: Int, _ tiles: Range<Int>
  ) {
    for t in tiles {
      let base = unsafe image + t / (tilesY * tilesX) * height * width * outputs + output
      let (y0, x0) = (t / tilesX % tilesY * 4, t % tilesX * 4)
      for j in Swift.stride(from: 0, to: panel, by: 16) {
        let from = unsafe m + (t - tiles.lowerBound) * panel + j
        @inline(__always) func at(_ y: Int, _ x: Int) -> Lanes {
          unsafe load(from + (6 * y + x) * stride)
        }
        @inline(__always) func column(_ x: Int) -> (Lanes, Lanes, Lanes, Lanes) {
          outputTransform((at(0, x), at(1, x), at(2, x), at(3, x), at(4, x), at(5, x)))
        }
        let (a, b, c) = (column(0), column(1), column(2))
        let (d, e, f) = (column(3), column(4), column(5))
        let add = unsafe load(bias + output + j)
        @inline(__always) func write(_ y: Int, _ row: Six) {
          guard y0 + y < height else { return }
          let z = outputTransform(row)
          let out = unsafe base + ((y0 + y) * width + x0) * outputs + j
          unsafe store(z.0 + add, out)
          if x0 + 1 < width { unsafe store(z.1 + add, out + outputs) }
          if x0 + 2 < width { unsafe store(z.2 + add, out + 2 * outputs) }
          if x0 + 3 < width { unsafe store(z.3 + add, out + 3 * outputs) }
        }
        write(0, (a.0, b.0, c.0, d.0, e.0, f.0))
        write(1, (a.1, b.1, c.1, d.1, e.1, f.1))
        write(2, (a.2, b.2, c.2, d.2, e.2, f.2))
        write(3, (a.3, b.3, c.3, d.3, e.3, f.3))
      }
    }
  }

  // MARK: - Softmax

  static func softmaxBlock(
    _ scores: UnsafeMutablePointer<Float>, _ ld: Int, _ rows: Int, _ keys: Int, _ scale: Float,
    _ maximum: UnsafeMutablePointer<Float>, _ sum: UnsafeMutablePointer<Float>,
    _ out: UnsafeMutablePointer<Float>, _ ldo: Int, _ depth: Int
  ) {
    precondition(keys % 16 == 0, "\(keys) keys")
    for row in 0..<rows {
      let s = unsafe scores + row * ld
      var best = Lanes(repeating: -.infinity)
      for key in stride(from: 0, to: keys, by: 16) {
        let x = unsafe load(s + key)
        best = whereNegative(best - x, x, best)
      }
      var top = -Float.infinity
      for lane in 0..<16 { top = max(top, best[lane]) }
      top = unsafe max(top * scale, maximum[row])
      var total = Lanes()
      for key in stride(from: 0, to: keys, by: 16) {
        let e = unsafe exponential(load(s + key) * scale - top)
        unsafe store(e, s + key)
        total += e
      }
      let old = unsafe maximum[row]
      let keep = old == -.infinity ? 0 : exponential(Lanes(repeating: old - top))[0]
      unsafe maximum[row] = top
      unsafe sum[row] = sum[row] * keep + Self.sum(total)
      for d in 0..<depth { unsafe out[row * ldo + d] *= keep }
    }
  }

  static func divideRows(
    _ values: UnsafePointer<Float>, _ ldi: Int, _ sum: UnsafePointer<Float>, _ rows: Int,
    _ depth: Int, _ out: UnsafeMutablePointer<Float>, _ ldo: Int
  ) {
    for row in 0..<rows {
      let factor = unsafe 1 / sum[row]
      for d in 0..<depth { unsafe out[row * ldo + d] = values[row * ldi + d] * factor }
    }
  }

  // MARK: - Normalisation and single values

  static func channelSums(
    _ x: UnsafePointer<Float>, _ pixels: Int, _ channels: Int, _ pivot: UnsafePointer<Float>,
    _ sum: UnsafeMutablePointer<Float>, _ squares: UnsafeMutablePointer<Float>
  ) {
    unsafe sum.update(repeating: 0, count: channels)
    unsafe squares.update(repeating: 0, count: channels)
    for pixel in 0..<pixels {
      for c in stride(from: 0, to: channels, by: 16) {
        let d = unsafe load(x + pixel * channels + c) - load(pivot + c)
        unsafe store(load(sum + c) + d, sum + c)
        unsafe store(load(squares + c) + d * d, squares + c)
      }
    }
  }

  static func scaleShift(
    _ x: UnsafePointer<Float>, _ pixels: Int, _ channels: Int, _ scale: UnsafePointer<Float>,
    _ shift: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>
  ) {
    for pixel in 0..<pixels {
      for c in stride(from: 0, to: channels, by: 16) {
        let at = pixel * channels + c
        unsafe store(silu(load(x + at) * load(scale + c) + load(shift + c)), y + at)
      }
    }
  }

  static func layerNorm(
    _ x: UnsafePointer<Float>, _ rows: Int, _ channels: Int, _ weight: UnsafePointer<Float>,
    _ bias: UnsafePointer<Float>, _ epsilon: Float, _ y: UnsafeMutablePointer<Float>
  ) {
    for row in 0..<rows {
      let (from, to) = unsafe (x + row * channels, y + row * channels)
      var (sum, squares) = (Lanes(), Lanes())
      for c in stride(from: 0, to: channels, by: 16) { unsafe sum += load(from + c) }
      let mean = Self.sum(sum) / Float(channels)
      for c in stride(from: 0, to: channels, by: 16) {
        let d = unsafe load(from + c) - mean
        squares += d * d
      }
      let factor = 1 / (Self.sum(squares) / Float(channels) + epsilon).squareRoot()
      for c in stride(from: 0, to: channels, by: 16) {
        unsafe store((load(from + c) - mean) * factor * load(weight + c) + load(bias + c), to + c)
      }
    }
  }

  static func activate(
    _ x: UnsafePointer<Float>, _ count: Int, isGELU: Bool, _ y: UnsafeMutablePointer<Float>
  ) {
    for i in stride(from: 0, to: count, by: 16) {
      unsafe store(isGELU ? gelu(load(x + i)) : silu(load(x + i)), y + i)
    }
  }

  static func geglu(
    _ x: UnsafePointer<Float>, _ rows: Int, _ width: Int, _ y: UnsafeMutablePointer<Float>
  ) {
    for row in 0..<rows {
      let value = unsafe x + row * 2 * width
      for c in stride(from: 0, to: width, by: 16) {
        unsafe store(load(value + c) * gelu(load(value + width + c)), y + row * width + c)
      }
    }
  }

  static func add(
    _ x: UnsafePointer<Float>, _ count: Int, _ y: UnsafeMutablePointer<Float>
  ) {
    let whole = count / 16 * 16
    for i in stride(from: 0, to: whole, by: 16) { unsafe store(load(x + i) + load(y + i), y + i) }
    for i in whole..<count { unsafe y[i] += x[i] }
  }

  static func combine(
    _ x: UnsafePointer<Float>, _ count: Int, _ a: Float, _ b: Float,
    _ y: UnsafeMutablePointer<Float>
  ) {
    let whole = count / 16 * 16
    for i in stride(from: 0, to: whole, by: 16) {
      unsafe store(a * load(x + i) + b * load(y + i), y + i)
    }
    for i in whole..<count { unsafe y[i] = a * x[i] + b * y[i] }
  }

  // MARK: - Weights

  static func widen(
    _ values: UnsafeRawPointer, _ kind: Int32, _ count: Int, _ out: UnsafeMutablePointer<Float>
  ) {
    for i in stride(from: 0, to: count, by: 16) { unsafe store(weights(values, kind, i), out + i) }
  }

  /// Whether a value is infinite or not a number: all bits of its exponent are set, so that adding
  /// one to the exponent overflows into the sign.
  static func hasNonFinite(
    _ values: UnsafeRawPointer, _ kind: Weight.Kind, _ count: Int
  ) -> Bool {
    switch kind {
    case .float32:
      unsafe hasOverflow(
        values.assumingMemoryBound(to: Int32.self), count, exponent: 0x7F80_0000, one: 0x0080_0000)
    case .float16:
      unsafe hasOverflow(
        values.assumingMemoryBound(to: Int16.self), count, exponent: 0x7C00, one: 0x0400)
    case .bfloat16:
      unsafe hasOverflow(
        values.assumingMemoryBound(to: Int16.self), count, exponent: 0x7F80, one: 0x0080)
    }
  }

  @inline(__always)
  private static func hasOverflow<Word: FixedWidthInteger & SignedInteger>(
    _ words: UnsafePointer<Word>, _ count: Int, exponent: Word, one: Word
  ) -> Bool {
    var found: Word = 0
    for i in 0..<count { unsafe found |= (words[i] & exponent) &+ one }
    return found < 0
  }
}
