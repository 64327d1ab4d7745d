#include "CLibJPEG.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jerror.h>
#include <jpeglib.h>

// A progressive file may repeat scans without end, each of which costs a pass over the picture; real files have about
// ten.
enum { maximum_scans = 100 };

// Lives in the caller of the function that calls setjmp: in that function's own locals, what changes after setjmp would
// be unspecified after longjmp.
struct decoder {
  struct jpeg_decompress_struct jpeg;
  struct jpeg_error_mgr errors;
  struct jpeg_progress_mgr progress;
  jmp_buf failed;
  char *message;
};

static void fail(j_common_ptr jpeg) {
  struct decoder *decoder = jpeg->client_data;
  char text[JMSG_LENGTH_MAX];
  jpeg->err->format_message(jpeg, text);
  strncpy(decoder->message, text, CLIBJPEG_MESSAGE_SIZE - 1);
  decoder->message[CLIBJPEG_MESSAGE_SIZE - 1] = 0;
  longjmp(decoder->failed, 1);
}

// Level -1 is a warning: data is damaged and decoding goes on, as in other programs, but not past the end of the
// file, where the library would invent grey pixels.
static void notice(j_common_ptr jpeg, int level) {
  if (level < 0 && jpeg->err->msg_code == JWRN_JPEG_EOF) fail(jpeg);
}

static void check_scans(j_common_ptr jpeg) {
  struct decoder *decoder = jpeg->client_data;
  if (decoder->jpeg.input_scan_number > maximum_scans) {
    strcpy(decoder->message, "too many scans");
    longjmp(decoder->failed, 1);
  }
}

// Call only where setjmp has been called.
static void open_header(struct decoder *decoder, const uint8_t *bytes, size_t count) {
  jpeg_create_decompress(&decoder->jpeg);
  decoder->progress.progress_monitor = check_scans;
  decoder->jpeg.progress = &decoder->progress;
  jpeg_mem_src(&decoder->jpeg, bytes, count);
  jpeg_read_header(&decoder->jpeg, TRUE);
}

static void prepare(struct decoder *decoder, char *message) {
  memset(decoder, 0, sizeof *decoder);
  decoder->message = message;
  decoder->jpeg.err = jpeg_std_error(&decoder->errors);
  decoder->errors.error_exit = fail;
  decoder->errors.emit_message = notice;
  decoder->jpeg.client_data = decoder;
}

static int read_header(struct decoder *decoder, const uint8_t *bytes, size_t count, clibjpeg_header *header) {
  if (setjmp(decoder->failed)) return -1;
  open_header(decoder, bytes, count);
  header->width = decoder->jpeg.image_width;
  header->height = decoder->jpeg.image_height;
  header->components = decoder->jpeg.num_components;
  return 0;
}

static int decode(struct decoder *decoder, const uint8_t *bytes, size_t count, uint8_t *pixels, size_t size) {
  if (setjmp(decoder->failed)) return -1;
  open_header(decoder, bytes, count);
  switch (decoder->jpeg.num_components) {
    case 1: decoder->jpeg.out_color_space = JCS_GRAYSCALE; break;
    case 3: decoder->jpeg.out_color_space = JCS_RGB; break;
    case 4: decoder->jpeg.out_color_space = JCS_CMYK; break;
    default: ERREXIT(&decoder->jpeg, JERR_CONVERSION_NOTIMPL);
  }
  decoder->jpeg.dct_method = JDCT_ISLOW;
  jpeg_start_decompress(&decoder->jpeg);
  size_t row_size = (size_t)decoder->jpeg.output_width * (size_t)decoder->jpeg.output_components;
  if (row_size * decoder->jpeg.output_height != size) ERREXIT(&decoder->jpeg, JERR_BAD_LENGTH);
  while (decoder->jpeg.output_scanline < decoder->jpeg.output_height) {
    JSAMPROW row = pixels + row_size * decoder->jpeg.output_scanline;
    jpeg_read_scanlines(&decoder->jpeg, &row, 1);
  }
  jpeg_finish_decompress(&decoder->jpeg);
  return 0;
}

int clibjpeg_read_header(const uint8_t *bytes, size_t count, clibjpeg_header *header, char *message) {
  struct decoder decoder;
  prepare(&decoder, message);
  int result = read_header(&decoder, bytes, count, header);
  jpeg_destroy_decompress(&decoder.jpeg);
  return result;
}

int clibjpeg_decode(const uint8_t *bytes, size_t count, uint8_t *pixels, size_t size, char *message) {
  struct decoder decoder;
  prepare(&decoder, message);
  int result = decode(&decoder, bytes, count, pixels, size);
  jpeg_destroy_decompress(&decoder.jpeg);
  return result;
}
