// What the fault-injecting layer reads while the program under test runs: one page of shared memory, written by the test.
#pragma once
#include <stdint.h>

/// Where a program can be hit: between two system calls, where no timer would ever find it. Those of files below the root
/// only; `send` is to the database.
enum fault_point {
  before_write = 1,
  after_write,
  before_fsync,
  after_fsync,
  before_rename,
  after_rename,
  before_unlink,
  before_send,
  after_send,
};

/// An errno of 0 means that the call works. Whoever maps the page must zero it first.
struct fault_page {
  /// Of `write` to files below the root; ENOSPC for a full disk.
  int32_t write_errno;
  /// Of `fsync` of files and directories below the root.
  int32_t fsync_errno;
  /// Of `renameat` and `linkat`.
  int32_t rename_errno;
  /// Of `openat` for writing and of `mkdirat`; EROFS for a file system that went read-only.
  int32_t create_errno;
  /// Of `unlinkat`.
  int32_t unlink_errno;
  /// Not 0: a `write` takes at most so many bytes.
  int32_t short_write;
  /// One call in so many fails; 0 and 1: each.
  int32_t one_in;
  /// Calls that were made to fail or shortened so far.
  int32_t injected;
  /// A signal that the program sends itself when it comes to the point `raise_at`; once.
  int32_t raise_signal;
  /// A `fault_point`; 0 for none.
  int32_t raise_at;
  /// Added to the time of day: a step of the clock. Clocks that only count are left alone.
  int64_t clock_offset_ns;
  /// Added to CLOCK_BOOTTIME alone, which goes on while the machine sleeps: what a process sees that was suspended so long.
  int64_t slept_ns;
};
