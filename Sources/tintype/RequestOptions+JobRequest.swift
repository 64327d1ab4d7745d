import Jobs

extension RequestOptions {
  /// These options as columns; nil where the table's default stands.
  var jobRequest: JobRequest {
    var request = JobRequest(prompt: prompt)
    request.negativePrompt = negativePrompt
    request.width = width
    request.height = height
    request.steps = steps
    request.guidanceScale = guidanceScale
    request.strength = strength
    request.seed = seed
    request.imageCount = count
    return request
  }
}
