#include "server/v2/infer_response.h"

#include <bit>
#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "server/v2/tensors.h"

namespace groupmamba::v2 {
namespace {

// The protocol's byte order is also ours.
static_assert(std::endian::native == std::endian::little);

std::string Probabilities(absl::Span<const Answer> answers, size_t classes) {
  std::string raw(answers.size() * classes * sizeof(float), '\0');
  std::vector<float> row(classes);
  for (size_t i = 0; i < answers.size(); ++i) {
    for (const ScoredClass& scored : answers[i].top) {
      row[scored.index] = scored.probability;
    }
    std::memcpy(raw.data() + i * classes * sizeof(float), row.data(),
                classes * sizeof(float));
  }
  return raw;
}

std::string Classes(absl::Span<const Answer> answers,
                    const std::vector<std::string>& labels) {
  std::string raw;
  for (const Answer& answer : answers) {
    for (const ScoredClass& scored : answer.top) {
      AppendBytes(absl::StrFormat("%f:%d:%s", scored.probability, scored.index,
                                  labels[scored.index]),
                  &raw);
    }
  }
  return raw;
}

}  // namespace

void FillInferResponse(const ModelView& view, int classification,
                       absl::Span<const Answer> answers,
                       inference::ModelInferResponse* response) {
  const ModelFolder& folder = view.model->folder();
  response->set_model_name(view.name());
  response->set_model_version(view.version());
  auto* output = response->add_outputs();
  output->set_name(kOutput);
  output->set_datatype(classification == 0 ? "FP32" : "BYTES");
  output->add_shape(static_cast<int64_t>(answers.size()));
  output->add_shape(static_cast<int64_t>(answers.front().top.size()));
  response->add_raw_output_contents(
      classification == 0 ? Probabilities(answers, folder.config.classes)
                          : Classes(answers, folder.labels));
}

}  // namespace groupmamba::v2
