#include "client/load/request_mix.h"

#include <grpcpp/support/slice.h>
#include <zlib.h>

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace groupmamba::client {
namespace {

// A fraction of 1 that looks like chance and is a function of both: the finish
// of SplitMix64.
double Fraction(uint64_t seed, uint64_t index) {
  uint64_t z = seed * 0xD1B54A32D192ED03 + (index + 1) * 0x9E3779B97F4A7C15;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  z ^= z >> 31;
  return static_cast<double>(z >> 11) / 9007199254740992.0;  // 2^53
}

}  // namespace

void LoadRequests::Add(const google::protobuf::MessageLite& request) {
  const std::string bytes = request.SerializeAsString();
  crcs.push_back(static_cast<uint32_t>(
      crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size())));
  const grpc::Slice slice(bytes);
  messages.emplace_back(&slice, 1);
}

RequestMix::RequestMix(std::vector<LoadRequests> models, uint64_t seed,
                       std::string name)
    : models_(std::move(models)),
      seed_(seed),
      prefix_(name.empty() ? "" : absl::StrCat(name, "-")) {
  for (const LoadRequests& model : models_) weights_ += model.weight;
}

size_t RequestMix::ModelOf(int64_t index) const {
  size_t model = 0;
  if (models_.size() > 1) {
    double at = Fraction(seed_, index) * weights_;
    while (model + 1 < models_.size() && at >= models_[model].weight) {
      at -= models_[model++].weight;
    }
  }
  return model;
}

const grpc::ByteBuffer& RequestMix::Message(int64_t index) const {
  const auto& messages = models_[ModelOf(index)].messages;
  return messages[index % messages.size()];
}

uint32_t RequestMix::Crc(int64_t index) const {
  const auto& crcs = models_[ModelOf(index)].crcs;
  return crcs[index % crcs.size()];
}

LoadAnswer RequestMix::AnswerTo(int64_t index, const LoadReply& reply) const {
  if ((is_named() && !reply.id.empty() && reply.id != RequestId(index)) ||
      (reply.crc != 0 && reply.crc != Crc(index))) {
    return {.code = absl::StatusCode::kDataLoss};
  }
  return reply.answer;
}

std::string RequestMix::RequestId(int64_t index) const {
  return absl::StrCat(prefix_, index);
}

int64_t RequestMix::IndexOf(absl::string_view request_id) const {
  int64_t index = 0;
  return absl::ConsumePrefix(&request_id, prefix_) &&
                 absl::SimpleAtoi(request_id, &index)
             ? index
             : -1;
}

}  // namespace groupmamba::client
