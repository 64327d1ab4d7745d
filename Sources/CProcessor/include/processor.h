// Which instructions this processor has and the operating system lets programs use.
#ifndef CPROCESSOR_PROCESSOR_H
#define CPROCESSOR_PROCESSOR_H

#include <stdbool.h>
#include <stddef.h>

/// What was found. All false on processors other than x86-64. A bit that the system does not save between threads
/// (XCR0) counts as absent: using its registers would be an illegal instruction or, worse, lose their contents.
typedef struct {
  bool avx2;
  bool fma;
  bool f16c;
  bool avx512f;
  bool avx512bw;
  bool avx512vl;
  bool avx512dq;
  bool avx512cd;
  bool bmi2;
  bool avx512vnni;
  bool amxint8;
  /// First and second level data cache of one core, and the last level, in bytes; 0 where unknown.
  size_t level1;
  size_t level2;
  size_t level3;
  /// The maker's name of the processor; empty where unknown.
  char name[64];
} processor_description;

processor_description processor_describe(void);

#endif
