// V2 messages for tests, as clients make them.

#ifndef GROUPMAMBA_TESTS_SERVER_V2_MESSAGES_H_
#define GROUPMAMBA_TESTS_SERVER_V2_MESSAGES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "proto/inference/grpc_service.pb.h"
#include "server/v2/tensors.h"

namespace groupmamba::v2 {

// Of FakeModel's input.
inline constexpr int kSide = 32;
inline constexpr int kPictureBytes = 3 * kSide * kSide;

// Plain pictures of these colours for FakeModel, raw.
inline inference::ModelInferRequest PixelsRequest(
    const std::vector<uint8_t>& colors) {
  inference::ModelInferRequest request;
  request.set_model_name("fake");
  auto* input = request.add_inputs();
  input->set_name("pixels");
  input->set_datatype("UINT8");
  for (int64_t dim : {static_cast<int64_t>(colors.size()), int64_t{kSide},
                      int64_t{kSide}, int64_t{3}}) {
    input->add_shape(dim);
  }
  std::string* raw = request.add_raw_input_contents();
  for (uint8_t color : colors) {
    raw->append(kPictureBytes, static_cast<char>(color));
  }
  return request;
}

// Picture files for FakeModel, raw.
inline inference::ModelInferRequest EncodedRequest(
    const std::vector<std::string>& files) {
  inference::ModelInferRequest request;
  request.set_model_name("fake+encoded");
  auto* input = request.add_inputs();
  input->set_name("encoded");
  input->set_datatype("BYTES");
  input->add_shape(static_cast<int64_t>(files.size()));
  input->add_shape(1);
  std::string* raw = request.add_raw_input_contents();
  for (const std::string& file : files) AppendBytes(file, raw);
  return request;
}

}  // namespace groupmamba::v2

#endif  // GROUPMAMBA_TESTS_SERVER_V2_MESSAGES_H_
