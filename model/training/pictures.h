// The pictures that a run trains on or is tested with, wherever they lie, and
// what the server makes of one.

#ifndef GROUPMAMBA_MODEL_TRAINING_PICTURES_H_
#define GROUPMAMBA_MODEL_TRAINING_PICTURES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/config.h"
#include "model/image/transform.h"
#include "opencv2/core/mat.hpp"

namespace groupmamba::training {

// A split of a data set. The numbers 0 to count() - 1 are the data's order:
// they stay the same from run to run. Thread-safe.
class PictureSource {
 public:
  virtual ~PictureSource() = default;

  virtual int64_t count() const = 0;

  // The names of the classes, in their order.
  virtual const std::vector<std::string>& labels() const = 0;

  // The class of picture i, an index into labels().
  virtual int label(int64_t i) const = 0;

  // How messages call picture i: its file, or its place in one.
  virtual std::string name(int64_t i) const = 0;

  // Picture i, upright, CV_8UC3 in the order R, G, B. Errors say what is wrong
  // with it; name(i) is not in them.
  virtual absl::StatusOr<cv::Mat> Read(int64_t i) const = 0;
};

// A file's bytes as a picture: the server's own decoder, with its limits but
// for the time, since training waits for whoever takes longer.
absl::StatusOr<cv::Mat> DecodeTrusted(absl::Span<const uint8_t> bytes);

// Bytes above which a picture's file is not read.
int64_t MaxPictureBytes();

// The filter that a model's configuration names.
ResizeFilter FilterOf(const InputConfig& input);

// The picture as the server shows it to the network, so that testing and
// serving see the same pixels: crop * crop * 3 bytes to `out`.
absl::Status ServedPixels(const cv::Mat& rgb, const InputConfig& input,
                          absl::Span<uint8_t> out);

}  // namespace groupmamba::training

#endif  // GROUPMAMBA_MODEL_TRAINING_PICTURES_H_
