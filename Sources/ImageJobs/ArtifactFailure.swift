internal import Glibc
internal import Jobs

/// Runs `body`; a failed system call becomes the `JobError` that the row keeps.
///
/// - Parameter purpose: what could not be done, after “cannot”.
func describingFailure<Result: ~Copyable>(to purpose: String, _ body: () throws -> Result) throws -> Result {
  do {
    return try body()
  } catch let error as SystemCallError {
    let (code, remedy) = classify(error.errno)
    throw JobError(
      code: code, message: "cannot \(purpose): \(error.call) failed with “\(error.reason)”. \(remedy)",
      isPermanent: false)
  } catch let error as RelativePath.Invalid {
    throw JobError(code: "artifact_path", message: "cannot \(purpose): \(error.reason)", isPermanent: true)
  }
}

/// The stable code of a disk failure, and what to do about it. All of them may pass: space is freed, a file system is
/// mounted again, another worker has a better disk.
private func classify(_ errno: Int32) -> (code: String, remedy: String) {
  switch errno {
  case ENOSPC, EDQUOT: ("out_of_disk", "Free space there, or raise the quota; the job is tried again.")
  case EROFS: ("output_read_only", "Mount the file system for writing.")
  case EACCES, EPERM: ("output_denied", "Give the worker's user write permission on the output directory.")
  case ELOOP, ENOTDIR:
    ("output_unsafe", "A symbolic link or a file stands where a directory belongs; remove it: links are not followed.")
  case ENOENT: ("output_missing", "Create the output directory, or mount what holds it.")
  case EMFILE, ENFILE: ("out_of_descriptors", "Raise the limit of open files (LimitNOFILE=).")
  case EIO: ("output_io_error", "The disk reports an error; look at the kernel's log.")
  default: ("output_failed", "Look at the output directory and its file system.")
  }
}
