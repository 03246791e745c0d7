import Imaging
package import Schema

extension TrainingProgress {
  /// Loss and validation score over steps, as a picture.
  ///
  /// - Throws: ``GeneratorError/Code/fileAccess`` when there is nothing to draw yet.
  package func plot() throws(GeneratorError) -> RGBImage {
    let chart = LineChart(
      title: "\(options.split), \(options.strategy.rawValue)", xLabel: "steps",
      yLabel: "loss of a mask; mean intersection over union",
      series: [
        LineChart.Series(
          name: "loss", color: Palette.color(0),
          points: history.map { (Double($0.step), $0.loss) }),
        LineChart.Series(
          name: "validation mIoU", color: Palette.color(1),
          points: history.map { (Double($0.step), $0.validation) }),
      ])
    do throws(ImagingError) {
      return try chart.render()
    } catch {
      throw GeneratorError(.fileAccess, "no plot: \(error.message)", cause: error)
    }
  }
}
