/// The source index that nearest-neighbour resizing reads for `index` of `target` positions.
///
/// PyTorch takes ratios of one and two exactly and all others as `⌊index · (source/target)⌋` in *single*
/// precision; computing the ratio exactly would pick another row at a few positions of odd sizes, and the
/// picture would then differ from the reference by whole pixels. Shared by both devices because it is a
/// definition, not an arithmetic that could be done with more or less care; its test holds values from PyTorch.
func nearestSource(_ index: Int, from source: Int, to target: Int) -> Int {
  if target == source { return index }
  if target == 2 * source { return index / 2 }
  let scale = Float(source) / Float(target)
  return min(Int(Float(index) * scale), source - 1)
}
