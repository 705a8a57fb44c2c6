#include "model/strict_json.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace groupmamba {
namespace {

using Json = nlohmann::json;

// Walks the document once without building it; false from a callback stops.
class Inspector : public Json::json_sax_t {
 public:
  explicit Inspector(const JsonLimits& limits) : limits_(limits) {}

  const std::string& problem() const { return problem_; }

  bool null() override { return CountValue(); }
  bool boolean(bool) override { return CountValue(); }
  bool number_integer(number_integer_t) override { return CountValue(); }
  bool number_unsigned(number_unsigned_t) override { return CountValue(); }
  bool number_float(number_float_t, const string_t&) override {
    return CountValue();
  }
  bool string(string_t&) override { return CountValue(); }
  bool binary(binary_t&) override { return CountValue(); }

  bool start_object(std::size_t) override {
    keys_.emplace_back();
    return Enter();
  }
  bool end_object() override {
    keys_.pop_back();
    --depth_;
    return true;
  }
  bool start_array(std::size_t) override { return Enter(); }
  bool end_array() override {
    --depth_;
    return true;
  }

  bool key(string_t& key) override {
    if (keys_.back().insert(key).second) return true;
    return Fail(absl::StrCat("the key ", QuoteForMessage(key), " twice"));
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    return Fail(absl::StrCat("no valid JSON at byte ", position));
  }

 private:
  bool CountValue() {
    if (++values_ <= limits_.max_values) return true;
    return Fail(absl::StrCat("more than ", limits_.max_values, " values"));
  }

  bool Enter() {
    if (++depth_ <= limits_.max_depth) return CountValue();
    return Fail(absl::StrCat("more than ", limits_.max_depth, " levels"));
  }

  bool Fail(std::string problem) {
    problem_ = std::move(problem);
    return false;
  }

  const JsonLimits limits_;
  std::vector<absl::flat_hash_set<std::string>> keys_;  // of the open objects
  int depth_ = 0;
  int64_t values_ = 0;
  std::string problem_;
};

}  // namespace

absl::StatusOr<Json> ParseJsonObject(absl::string_view text,
                                     const JsonLimits& limits) {
  if (static_cast<int64_t>(text.size()) > limits.max_bytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("more than ", limits.max_bytes, " bytes of JSON"));
  }
  Inspector inspector(limits);
  if (!Json::sax_parse(text.begin(), text.end(), &inspector)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the JSON holds ", inspector.problem()));
  }
  Json document = Json::parse(text.begin(), text.end(), /*cb=*/nullptr,
                              /*allow_exceptions=*/false);
  if (!document.is_object()) {
    return absl::InvalidArgumentError("the JSON is not an object");
  }
  return document;
}

bool IsUtf8(const std::string& text) {
  // The library's writer is the validator: what it would replace is not UTF-8.
  const Json value = text;
  return value.dump(-1, ' ', false, Json::error_handler_t::ignore) ==
         value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string QuoteForMessage(absl::string_view text) {
  constexpr size_t kMaxBytes = 100;
  return absl::StrCat("\"", absl::CHexEscape(text.substr(0, kMaxBytes)),
                      text.size() > kMaxBytes ? "..." : "", "\"");
}

}  // namespace groupmamba
