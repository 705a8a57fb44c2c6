// clang-format off
#include <cstdio>
#include <jpeglib.h>
// clang-format on

#include <cstdlib>
#include <vector>

#include "tests/testing/image_encoders.h"

namespace groupmamba {
namespace {

jpeg_scan_info Scan(int component, int first, int last) {
  return {1, {component, 0, 0, 0}, first, last, 0, 0};
}

std::vector<jpeg_scan_info> ScanPerCoefficient(int components) {
  std::vector<jpeg_scan_info> scans;
  for (int c = 0; c < components; ++c) scans.push_back(Scan(c, 0, 0));
  for (int c = 0; c < components; ++c) {
    for (int k = 1; k < DCTSIZE2; ++k) scans.push_back(Scan(c, k, k));
  }
  return scans;
}

J_COLOR_SPACE ColorSpaceOf(int channels) {
  return channels == 1 ? JCS_GRAYSCALE : channels == 3 ? JCS_RGB : JCS_CMYK;
}

}  // namespace

Bytes EncodeJpeg(const cv::Mat& picture, const JpegOptions& options) {
  jpeg_compress_struct info = {};
  jpeg_error_mgr errors = {};
  info.err = jpeg_std_error(&errors);
  errors.error_exit = [](j_common_ptr) { std::abort(); };
  jpeg_create_compress(&info);
  unsigned char* file = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &file, &size);
  info.image_width = picture.cols;
  info.image_height = picture.rows;
  info.input_components = picture.channels();
  info.in_color_space = ColorSpaceOf(picture.channels());
  jpeg_set_defaults(&info);
  if (options.ycck) jpeg_set_colorspace(&info, JCS_YCCK);
  jpeg_set_quality(&info, options.quality, TRUE);
  info.comp_info[0].h_samp_factor = options.sampling;
  info.comp_info[0].v_samp_factor = options.sampling;
  info.restart_interval = options.restart_interval;
  if (options.progressive) jpeg_simple_progression(&info);
  const std::vector<jpeg_scan_info> scans =
      ScanPerCoefficient(info.num_components);
  if (options.scan_per_coefficient) {
    info.scan_info = scans.data();
    info.num_scans = static_cast<int>(scans.size());
  }
  jpeg_start_compress(&info, TRUE);
  if (!options.exif.empty()) {
    Bytes marker = {'E', 'x', 'i', 'f', 0, 0};
    marker.insert(marker.end(), options.exif.begin(), options.exif.end());
    jpeg_write_marker(&info, JPEG_APP0 + 1, marker.data(),
                      static_cast<unsigned>(marker.size()));
  }
  for (int y = 0; y < picture.rows; ++y) {
    auto* row = const_cast<JSAMPROW>(picture.ptr(y));
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  const Bytes bytes(file, file + size);
  jpeg_destroy_compress(&info);
  std::free(file);
  return bytes;
}

}  // namespace groupmamba
