#include "client/classify_output.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "client/json.h"
#include "client/text.h"

namespace groupmamba::client {
namespace {

constexpr int kBarCells = 12;

// The smallest of `sorted` that at least `q` of them do not exceed.
double Quantile(const std::vector<double>& sorted, double q) {
  const double rank = std::ceil(q * static_cast<double>(sorted.size()));
  return sorted[static_cast<size_t>(std::max(rank, 1.0)) - 1];
}

}  // namespace

std::string ClassifyJsonLine(const std::string& path,
                             const v1::ClassifyResponse& response,
                             Duration round_trip) {
  Json predictions = Json::array();
  for (const v1::Prediction& prediction : response.predictions()) {
    predictions.push_back(
        {{"label", prediction.label()},
         {"index", prediction.index()},
         {"probability", Rounded(prediction.probability(), 6)}});
  }
  const v1::Timing& timing = response.timing();
  Json line;
  line["path"] = path;
  line["model"] = response.model();
  line["version"] = response.version();
  line["predictions"] = std::move(predictions);
  line["timing_ms"] = {{"decode", Rounded(timing.decode_ms(), 3)},
                       {"queue", Rounded(timing.queue_ms(), 3)},
                       {"batch_wait", Rounded(timing.batch_wait_ms(), 3)},
                       {"inference", Rounded(timing.inference_ms(), 3)},
                       {"total", Rounded(timing.total_ms(), 3)},
                       {"batch_size", timing.batch_size()},
                       {"round_trip", Rounded(ToMilliseconds(round_trip), 3)}};
  return ToLine(line);
}

std::string ClassifyJsonError(const std::string& path,
                              const absl::Status& status) {
  Json line;
  line["path"] = path;
  line["error"] = {{"code", absl::StatusCodeToString(status.code())},
                   {"message", std::string(status.message())}};
  return ToLine(line);
}

std::string ClassifyRows(const std::string& path, int path_width,
                         const v1::ClassifyResponse& response, bool bars) {
  std::string rows;
  std::string first = Printable(path);
  for (const v1::Prediction& prediction : response.predictions()) {
    absl::StrAppend(&rows, PadRight(first, path_width), "  ",
                    PadLeft(FormatPercent(prediction.probability()), 7), "  ");
    if (bars) {
      absl::StrAppend(&rows, Bar(prediction.probability(), kBarCells), "  ");
    }
    absl::StrAppend(&rows, Printable(prediction.label()), "\n");
    first.clear();
  }
  return rows;
}

void ClassifySummary::Add(const v1::ClassifyResponse& response,
                          Duration round_trip) {
  round_trips_ms_.push_back(ToMilliseconds(round_trip));
  const v1::Timing& timing = response.timing();
  sum_.set_decode_ms(sum_.decode_ms() + timing.decode_ms());
  sum_.set_queue_ms(sum_.queue_ms() + timing.queue_ms());
  sum_.set_inference_ms(sum_.inference_ms() + timing.inference_ms());
  sum_.set_total_ms(sum_.total_ms() + timing.total_ms());
}

std::string ClassifySummary::Format(Duration elapsed) const {
  const int answered = static_cast<int>(round_trips_ms_.size());
  const double seconds = ToSeconds(elapsed);
  std::string text = absl::StrCat(WithThousands(answered),
                                  answered == 1 ? " picture" : " pictures",
                                  " classified in ", FormatSeconds(seconds));
  if (answered > 1) {
    absl::StrAppend(&text, " (", Significant(answered / seconds),
                    " pictures/s)");
  }
  if (failed_ > 0) {
    absl::StrAppend(&text, "; ", WithThousands(failed_), " failed");
  }
  absl::StrAppend(&text, "\n");
  if (answered == 0) return text;

  std::vector<double> sorted = round_trips_ms_;
  std::sort(sorted.begin(), sorted.end());
  if (answered == 1) {
    absl::StrAppend(&text, "round trip: ", FormatMilliseconds(sorted[0]), "\n");
  } else {
    absl::StrAppend(&text, "round trip: p50 ",
                    FormatMilliseconds(Quantile(sorted, 0.5)), ", p90 ",
                    FormatMilliseconds(Quantile(sorted, 0.9)), ", max ",
                    FormatMilliseconds(sorted.back()), "\n");
  }
  absl::StrAppend(
      &text,
      answered == 1 ? "in the server: decode " : "in the server, mean: decode ",
      FormatMilliseconds(sum_.decode_ms() / answered), ", queue ",
      FormatMilliseconds(sum_.queue_ms() / answered), ", inference ",
      FormatMilliseconds(sum_.inference_ms() / answered), ", total ",
      FormatMilliseconds(sum_.total_ms() / answered), "\n");
  return text;
}

}  // namespace groupmamba::client
