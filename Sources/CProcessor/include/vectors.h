// Vector operations that Swift's SIMD types lack or take apart lane by lane.
//
// Imported once per set of kernels, each time under that set's compiler flags: `float_vector` is one register of the
// instruction set, and Swift sees it as SIMD4<Float>, SIMD8<Float> or SIMD16<Float>. Nothing here has an address; a
// function that were emitted on its own could be called by code for another instruction set.
#ifndef CPROCESSOR_VECTORS_H
#define CPROCESSOR_VECTORS_H

#include <stdint.h>

#if defined(__AVX512F__)
#define VECTOR_LANES 16
#elif defined(__AVX2__)
#define VECTOR_LANES 8
#else
#define VECTOR_LANES 4
#endif

typedef float float_vector __attribute__((ext_vector_type(VECTOR_LANES)));
typedef int32_t int_vector __attribute__((ext_vector_type(VECTOR_LANES)));

#define VECTOR_FUNCTION static inline __attribute__((always_inline, const))
#define VECTOR_LOAD static inline __attribute__((always_inline))

/// a · b + c, rounded once where the instruction set can; a call per lane elsewhere would cost a hundredfold.
VECTOR_FUNCTION float_vector vector_multiply_add(float_vector a, float_vector b, float_vector c) {
#if defined(__FMA__) || defined(__aarch64__)
  return __builtin_elementwise_fma(a, b, c);
#else
  return a * b + c;
#endif
}

/// The larger of each pair; `a` where either is NaN.
VECTOR_FUNCTION float_vector vector_larger(float_vector a, float_vector b) { return b > a ? b : a; }

/// The smaller of each pair; `a` where either is NaN.
VECTOR_FUNCTION float_vector vector_smaller(float_vector a, float_vector b) { return b < a ? b : a; }

/// The sum of all lanes, added up by halves.
VECTOR_FUNCTION float vector_sum(float_vector v) {
#if VECTOR_LANES == 16
  typedef float eight_lanes __attribute__((ext_vector_type(8)));
  const eight_lanes eight = v.lo + v.hi;
  typedef float four_lanes __attribute__((ext_vector_type(4)));
  const four_lanes four = eight.lo + eight.hi;
  return (four.x + four.z) + (four.y + four.w);
#elif VECTOR_LANES == 8
  typedef float four_lanes __attribute__((ext_vector_type(4)));
  const four_lanes four = v.lo + v.hi;
  return (four.x + four.z) + (four.y + four.w);
#else
  return (v.x + v.z) + (v.y + v.w);
#endif
}

/// The largest lane, if none is NaN.
VECTOR_FUNCTION float vector_maximum(float_vector v) { return __builtin_reduce_max(v); }

/// The first `count` lanes of v; the others are `otherwise`.
VECTOR_FUNCTION float_vector vector_first(float_vector v, int32_t count, float otherwise) {
#if VECTOR_LANES == 16
  const int_vector lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
#elif VECTOR_LANES == 8
  const int_vector lane = {0, 1, 2, 3, 4, 5, 6, 7};
#else
  const int_vector lane = {0, 1, 2, 3};
#endif
  return lane < (int_vector)count ? v : (float_vector)otherwise;
}

/// Adds each lane to a number of twice the precision.
VECTOR_LOAD void vector_add_to_doubles(double *sums, float_vector v) {
  typedef double double_vector __attribute__((ext_vector_type(VECTOR_LANES), aligned(8)));
  *(double_vector *)sums += __builtin_convertvector(v, double_vector);
}

/// 2ⁿ for n in -126...127, which is the integer in the low bits of `shifted` = 1.5 · 2²³ + n: by writing the exponent.
VECTOR_FUNCTION float_vector vector_power_of_two(float_vector shifted) {
  return (float_vector)(((int_vector)shifted + (127 - 0x4B400000)) << 23);
}

/// The first halves of a and b, lane by lane: a0 b0 a1 b1 …
VECTOR_FUNCTION float_vector vector_interleave_low(float_vector a, float_vector b) {
#if VECTOR_LANES == 16
  return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
#elif VECTOR_LANES == 8
  return __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
#else
  return __builtin_shufflevector(a, b, 0, 4, 1, 5);
#endif
}

/// The second halves of a and b, lane by lane.
VECTOR_FUNCTION float_vector vector_interleave_high(float_vector a, float_vector b) {
#if VECTOR_LANES == 16
  return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
#elif VECTOR_LANES == 8
  return __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
#else
  return __builtin_shufflevector(a, b, 2, 6, 3, 7);
#endif
}

/// Words of 16 bits, half a register of them.
typedef uint16_t half_word_vector __attribute__((ext_vector_type(VECTOR_LANES)));

/// IEEE half precision numbers, exactly. Without conversion instructions the bits are moved about:
/// the compiler's own conversion is a function call per lane there.
VECTOR_FUNCTION float_vector vector_from_float16(half_word_vector bits) {
#if defined(__F16C__) || defined(__aarch64__)
  typedef _Float16 half_vector __attribute__((ext_vector_type(VECTOR_LANES)));
  return __builtin_convertvector((half_vector)bits, float_vector);
#else
  typedef uint32_t bit_vector __attribute__((ext_vector_type(VECTOR_LANES)));
  const bit_vector half = __builtin_convertvector(bits, bit_vector);
  const bit_vector magnitude = half & 0x7FFF;
  // The exponent's bias is 15 in one format and 127 in the other; all ones (infinity, NaN) must stay all ones.
  const bit_vector special = (bit_vector)(magnitude >= 0x7C00);
  const bit_vector normal = (magnitude << 13) + ((special & (224u << 23)) | (~special & (112u << 23)));
  // A subnormal is its fraction times 2^-24.
  const float_vector subnormal = __builtin_convertvector((int_vector)magnitude, float_vector) * 0x1p-24f;
  const bit_vector small = (bit_vector)(magnitude < 0x0400);
  return (float_vector)((small & (bit_vector)subnormal) | (~small & normal) | (half & 0x8000) << 16);
#endif
}

/// bfloat16 numbers, the upper halves of fp32 ones.
VECTOR_FUNCTION float_vector vector_from_bfloat16(half_word_vector bits) {
  typedef uint32_t bit_vector __attribute__((ext_vector_type(VECTOR_LANES)));
  return (float_vector)(__builtin_convertvector(bits, bit_vector) << 16);
}

/// Half a register of words; any alignment.
VECTOR_LOAD half_word_vector vector_load_half_words(const void *source) {
  typedef uint16_t unaligned_vector __attribute__((ext_vector_type(VECTOR_LANES), aligned(2)));
  return *(const unaligned_vector *)source;
}

/// One IEEE half precision number, exactly.
VECTOR_LOAD float scalar_load_float16(const void *source) {
#if defined(__F16C__) || defined(__aarch64__)
  typedef _Float16 unaligned_half __attribute__((aligned(1)));
  return (float)*(const unaligned_half *)source;
#else
  const half_word_vector copies = *(const uint16_t *)source;
  return vector_from_float16(copies)[0];
#endif
}

// A register of words is transposed within its runs of 128 bits, which instructions do that every set has: eight registers are a
// square of 8×8 words for each run.

/// A register of words.
typedef uint16_t word_vector __attribute__((ext_vector_type(2 * VECTOR_LANES)));

/// Two half registers of words, one behind the other; any alignment.
VECTOR_LOAD word_vector vector_load_words(const void *low, const void *high) {
  word_vector words;
  words.lo = vector_load_half_words(low);
  words.hi = vector_load_half_words(high);
  return words;
}

/// The first halves of each 128 bits of a and b, word by word.
VECTOR_FUNCTION word_vector vector_interleave_words_low(word_vector a, word_vector b) {
#if VECTOR_LANES == 16
  return __builtin_shufflevector(
      a, b, 0, 32, 1, 33, 2, 34, 3, 35, 8, 40, 9, 41, 10, 42, 11, 43, 16, 48, 17, 49, 18, 50, 19, 51, 24, 56, 25, 57, 26,
      58, 27, 59);
#elif VECTOR_LANES == 8
  return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 8, 24, 9, 25, 10, 26, 11, 27);
#else
  return __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
#endif
}

/// The second halves of each 128 bits of a and b, word by word.
VECTOR_FUNCTION word_vector vector_interleave_words_high(word_vector a, word_vector b) {
#if VECTOR_LANES == 16
  return __builtin_shufflevector(
      a, b, 4, 36, 5, 37, 6, 38, 7, 39, 12, 44, 13, 45, 14, 46, 15, 47, 20, 52, 21, 53, 22, 54, 23, 55, 28, 60, 29, 61,
      30, 62, 31, 63);
#elif VECTOR_LANES == 8
  return __builtin_shufflevector(a, b, 4, 20, 5, 21, 6, 22, 7, 23, 12, 28, 13, 29, 14, 30, 15, 31);
#else
  return __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
#endif
}

/// The even ones of the runs of 128 bits; of a register that has one, its first half.
VECTOR_FUNCTION half_word_vector vector_even_runs(word_vector words) {
#if VECTOR_LANES == 16
  return __builtin_shufflevector(words, words, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
#else
  return words.lo;
#endif
}

/// The odd ones of the runs of 128 bits; of a register that has one, its second half.
VECTOR_FUNCTION half_word_vector vector_odd_runs(word_vector words) {
#if VECTOR_LANES == 16
  return __builtin_shufflevector(words, words, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
#else
  return words.hi;
#endif
}

/// Writes one register, a whole number of cache lines or part of one, past the caches: without reading the line first, and without
/// displacing what is worked with. For results that are larger than the caches. The address is aligned to the register.
VECTOR_LOAD void vector_stream(float *target, float_vector v) {
  __builtin_nontemporal_store(v, (float_vector *)target);
}

/// Makes what was streamed visible to other threads before whatever this thread writes next.
VECTOR_LOAD void vector_stream_end(void) {
#if defined(__x86_64__)
  __builtin_ia32_sfence();
#endif
}

// Products of bytes, four to a lane: the unsigned ones of an input with the signed ones of weights. Where there is no
// instruction for it, both are taken apart into even and odd bytes, widened to 16 bits, which the instruction that multiplies 16-bit
// pairs adds up exactly. (The one for bytes, vpmaddubsw, saturates at 16 bits.)

#if defined(__AVX512VNNI__)
/// Rows of a tile of byte products: two sums a row, two registers of weights and some of inputs fill 32 registers.
#define BYTE_TILE_ROWS 14
/// Words into which four input bytes are taken apart.
#define BYTE_INPUT_WORDS 1
#elif VECTOR_LANES == 16
#define BYTE_TILE_ROWS 12
#define BYTE_INPUT_WORDS 2
#else
#define BYTE_TILE_ROWS 4
#define BYTE_INPUT_WORDS 2
#endif

/// The even ones of four unsigned bytes in each lane, or all four where they need not be taken apart.
VECTOR_FUNCTION int_vector vector_even_inputs(int_vector bytes) {
  return BYTE_INPUT_WORDS == 1 ? bytes : bytes & 0x00FF00FF;
}

/// The odd ones; of no meaning where they need not be taken apart.
VECTOR_FUNCTION int_vector vector_odd_inputs(int_vector bytes) {
  return BYTE_INPUT_WORDS == 1 ? bytes : (bytes >> 8) & 0x00FF00FF;
}

/// The even ones of four signed bytes in each lane, or all four where they need not be taken apart.
VECTOR_FUNCTION int_vector vector_even_weights(int_vector bytes) {
  typedef int16_t short_vector __attribute__((ext_vector_type(2 * VECTOR_LANES)));
  return BYTE_INPUT_WORDS == 1 ? bytes : (int_vector)((short_vector)(bytes << 8) >> 8);
}

/// The odd ones; of no meaning where they need not be taken apart.
VECTOR_FUNCTION int_vector vector_odd_weights(int_vector bytes) {
  typedef int16_t short_vector __attribute__((ext_vector_type(2 * VECTOR_LANES)));
  return BYTE_INPUT_WORDS == 1 ? bytes : (int_vector)((short_vector)bytes >> 8);
}

/// Adds in each lane the two products of 16-bit numbers.
VECTOR_FUNCTION int_vector vector_add_pairs(int_vector sums, int_vector a, int_vector b) {
#if defined(__AVX512VNNI__)
  return (int_vector)__builtin_ia32_vpdpwssd512(sums, a, b);
#elif VECTOR_LANES == 16 && defined(__AVX512BW__)
  typedef int16_t short_vector __attribute__((vector_size(64)));
  return sums + (int_vector)__builtin_ia32_pmaddwd512((short_vector)a, (short_vector)b);
#elif VECTOR_LANES == 8
  typedef int16_t short_vector __attribute__((vector_size(32)));
  return sums + (int_vector)__builtin_ia32_pmaddwd256((short_vector)a, (short_vector)b);
#elif defined(__SSE2__)
  typedef int16_t short_vector __attribute__((vector_size(16)));
  return sums + (int_vector)__builtin_ia32_pmaddwd128((short_vector)a, (short_vector)b);
#else
  return sums + ((a << 16) >> 16) * ((b << 16) >> 16) + (a >> 16) * (b >> 16);
#endif
}

/// Adds in each lane the four products of bytes, both operands taken apart by the functions above.
VECTOR_FUNCTION int_vector vector_add_byte_products(
    int_vector sums, int_vector even_inputs, int_vector odd_inputs, int_vector even_weights, int_vector odd_weights) {
#if defined(__AVX512VNNI__)
  (void)odd_inputs, (void)odd_weights;
  return (int_vector)__builtin_ia32_vpdpbusd512(sums, even_inputs, even_weights);
#else
  return vector_add_pairs(vector_add_pairs(sums, even_inputs, even_weights), odd_inputs, odd_weights);
#endif
}

/// Each integer as the nearest float.
VECTOR_FUNCTION float_vector vector_from_integers(int_vector v) { return __builtin_convertvector(v, float_vector); }

/// The bits of each float.
VECTOR_FUNCTION int_vector vector_bits(float_vector v) { return (int_vector)v; }

/// The floats of these bits.
VECTOR_FUNCTION float_vector vector_from_bits(int_vector v) { return (float_vector)v; }

/// The lowest bytes of four vectors' lanes side by side, a's lowest.
VECTOR_FUNCTION int_vector vector_pack_low_bytes(int_vector a, int_vector b, int_vector c, int_vector d) {
  return (a & 0xFF) | (b & 0xFF) << 8 | (c & 0xFF) << 16 | d << 24;
}

/// The lower halves of two vectors' lanes side by side, a's lowest.
VECTOR_FUNCTION int_vector vector_pack_low_halves(int_vector a, int_vector b) { return (a & 0xFFFF) | b << 16; }

/// The square root of each lane.
VECTOR_FUNCTION float_vector vector_root(float_vector v) { return __builtin_elementwise_sqrt(v); }

/// The smallest lane, if none is NaN.
VECTOR_FUNCTION float vector_minimum(float_vector v) { return __builtin_reduce_min(v); }

/// Asks for the cache line of an address, into the second level.
VECTOR_LOAD void vector_prefetch(const void *address) { __builtin_prefetch(address, 0, 2); }

/// Asks for the cache line of an address, in order to write to it.
VECTOR_LOAD void vector_prefetch_for_write(void *address) { __builtin_prefetch(address, 1, 3); }

#endif
