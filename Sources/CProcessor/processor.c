#include "processor.h"

#include <string.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>

/// The register sets that the operating system saves; 0 if it does not say.
static unsigned long long enabled_state(void) {
  unsigned eax, ebx, ecx, edx;
  if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & (1u << 27))) return 0;
  unsigned low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (unsigned long long)high << 32 | low;
}

static void describe_instructions(processor_description *result) {
  const unsigned long long state = enabled_state();
  const bool ymm = (state & 0x6) == 0x6;
  const bool zmm = (state & 0xE6) == 0xE6;
  const bool tiles = (state & 0x60000) == 0x60000;
  unsigned eax, ebx, ecx, edx;
  if (__get_cpuid(1, &eax, &ebx, &ecx, &edx)) {
    result->fma = ymm && ecx & (1u << 12);
    result->f16c = ymm && ecx & (1u << 29);
  }
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) {
    result->bmi2 = ebx & (1u << 8);
    result->avx2 = ymm && ebx & (1u << 5);
    result->avx512f = zmm && ebx & (1u << 16);
    result->avx512dq = zmm && ebx & (1u << 17);
    result->avx512cd = zmm && ebx & (1u << 28);
    result->avx512bw = zmm && ebx & (1u << 30);
    result->avx512vl = zmm && ebx & (1u << 31);
    result->avx512vnni = zmm && ecx & (1u << 11);
    result->amxint8 = tiles && edx & (1u << 25);
  }
  unsigned name[12];
  if (__get_cpuid(0x80000002, &name[0], &name[1], &name[2], &name[3])
      && __get_cpuid(0x80000003, &name[4], &name[5], &name[6], &name[7])
      && __get_cpuid(0x80000004, &name[8], &name[9], &name[10], &name[11])) {
    memcpy(result->name, name, sizeof name);
  }
}
#else
static void describe_instructions(processor_description *result) { (void)result; }
#endif

#if defined(_SC_LEVEL1_DCACHE_SIZE)
static size_t cache(int name) {
  const long size = sysconf(name);
  return size > 0 ? (size_t)size : 0;
}
#endif

processor_description processor_describe(void) {
  processor_description result;
  memset(&result, 0, sizeof result);
  describe_instructions(&result);
#if defined(_SC_LEVEL1_DCACHE_SIZE)
  result.level1 = cache(_SC_LEVEL1_DCACHE_SIZE);
  result.level2 = cache(_SC_LEVEL2_CACHE_SIZE);
  result.level3 = cache(_SC_LEVEL3_CACHE_SIZE);
#endif
  return result;
}
