#include "client/load/analysis.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "client/text.h"

namespace groupmamba::client {
namespace {

constexpr double kMaxDroppedRatio = 0.01;

double Ratio(int64_t part, int64_t whole) {
  return whole == 0 ? 0
                    : static_cast<double>(part) / static_cast<double>(whole);
}

double MeanMs(Duration sum, int64_t count) {
  return count == 0 ? 0 : ToMilliseconds(sum) / static_cast<double>(count);
}

// The half of a 95 % confidence interval of `quantile` by how much ten parts of
// the run differ; 0 where fewer than three parts have calls.
double BatchHalfWidthMs(const LoadResult& result, double quantile) {
  constexpr size_t kBatches = 10;
  std::vector<Histogram> batches(kBatches, Histogram(Histogram::kCoarse));
  const size_t parts = result.intervals.size();
  for (size_t i = 0; i < parts; ++i) {
    batches[i * kBatches / parts].Merge(result.intervals[i].latency);
  }
  double n = 0;
  double sum = 0;
  double squares = 0;
  for (const Histogram& batch : batches) {
    if (batch.count() == 0) continue;
    const double ms = ToMilliseconds(batch.Quantile(quantile));
    ++n;
    sum += ms;
    squares += ms * ms;
  }
  if (n < 3) return 0;
  constexpr double kStudent = 2.3;  // at nine degrees of freedom, and near it
  const double variance = std::max(0.0, (squares - sum * sum / n) / (n - 1));
  return kStudent * std::sqrt(variance / n);
}

}  // namespace

double OfferedPerSecond(const LoadPlan& plan, const LoadResult& result) {
  return static_cast<double>(result.planned) / ToSeconds(plan.duration);
}

double AchievedPerSecond(const LoadPlan& plan, const LoadResult& result) {
  return static_cast<double>(result.ok_in_window) / ToSeconds(plan.duration);
}

double GoodputPerSecond(const LoadPlan& plan, const LoadResult& result,
                        const Objective& objective) {
  return static_cast<double>(result.latency.CountAtMost(objective.Limit())) /
         ToSeconds(plan.duration);
}

double LateRatio(const LoadResult& result) {
  return Ratio(result.late, result.planned - result.dropped);
}

std::vector<std::string> WhyInvalid(const LoadPlan& plan,
                                    const LoadResult& result) {
  std::vector<std::string> reasons;
  if (!plan.open) return reasons;
  if (const double late = LateRatio(result); late > kMaxLateRatio) {
    reasons.push_back(absl::StrCat(
        FormatPercent(late), " of the calls were sent more than ",
        FormatMilliseconds(ToMilliseconds(LoadResult::kLate)),
        " after they were due (at most 1 % may be): this machine could not "
        "keep the rate up, and the latencies hold its own lag"));
  }
  if (const double dropped = Ratio(result.dropped, result.planned);
      dropped > kMaxDroppedRatio) {
    reasons.push_back(absl::StrCat(
        FormatPercent(dropped), " of the calls were not sent, because ",
        WithThousands(plan.max_in_flight),
        " were unanswered (at most 1 % may be): the latencies leave out the "
        "worst; offer less, or raise --max-in-flight"));
  }
  return reasons;
}

std::vector<NamedQuantile> ToldQuantiles(const Histogram& histogram) {
  std::vector<NamedQuantile> told = {
      {"p50", 0.5}, {"p90", 0.9}, {"p95", 0.95}, {"p99", 0.99}};
  for (const NamedQuantile& rare :
       {NamedQuantile{"p99.9", 0.999}, NamedQuantile{"p99.99", 0.9999}}) {
    constexpr double kBeyond = 10 - 1e-6;  // 10,000 * (1 - 0.999) is 9.99...
    if (static_cast<double>(histogram.count()) * (1 - rare.quantile) >=
        kBeyond) {
      told.push_back(rare);
    }
  }
  return told;
}

std::optional<std::pair<Duration, Duration>> QuantileRange(
    const LoadResult& result, double quantile) {
  const auto n = static_cast<double>(result.ok());
  if (n < 2) return std::nullopt;
  const double spread = 1.96 * std::sqrt(quantile * (1 - quantile) / n);
  const double half = BatchHalfWidthMs(result, quantile);
  const Duration middle = result.latency.Quantile(quantile);
  return std::pair(
      std::max(Duration(0), std::min(result.latency.Quantile(
                                         std::max(0.0, quantile - spread)),
                                     middle - FromMilliseconds(half))),
      std::max(result.latency.Quantile(std::min(1.0, quantile + spread)),
               middle + FromMilliseconds(half)));
}

std::vector<TimeRow> TimeTable(const LoadResult& result,
                               const ServerActivity* server) {
  const Receipts& sums = result.receipts;
  if (sums.count == 0) return {};
  const double service = MeanMs(sums.service, sums.count);
  const auto row = [&](std::string name, int depth, Duration sum,
                       const char* stage = "") {
    TimeRow result_row = {
        .name = std::move(name), .depth = depth, .ms = MeanMs(sum, sums.count)};
    result_row.share = service > 0 ? result_row.ms / service : 0;
    if (server != nullptr && server->stages.count(stage) > 0) {
      const ServerActivity::Stage& page = server->stages.at(stage);
      if (page.count > 0) result_row.page_ms = 1000 * page.seconds / page.count;
    }
    return result_row;
  };
  std::vector<TimeRow> rows = {
      row("decode", 0, sums.decode, "decode"),
      row("queue", 0, sums.queue, "queue"),
      row("waiting for company", 1, sums.batch_wait),
      row("inference", 0, sums.inference, "inference"),
      row("hand-overs in the server", 0,
          sums.total - sums.decode - sums.queue - sums.inference),
      row("network, gRPC, client", 0, sums.service - sums.total),
      row("service time", 0, sums.service)};
  if (server != nullptr) {
    // What the receipt has no field for, the page has.
    double handed = 0;
    for (const char* stage : {"gather", "reply"}) {
      const auto found = server->stages.find(stage);
      if (found == server->stages.end() || found->second.count <= 0) continue;
      handed += 1000 * found->second.seconds / found->second.count;
    }
    if (handed > 0) rows[4].page_ms = handed;
  }
  return rows;
}

double ExplainedRatio(const LoadResult& result) {
  const Receipts& sums = result.receipts;
  if (sums.service <= Duration(0)) return 0;
  return ToSeconds(sums.decode + sums.queue + sums.inference) /
         ToSeconds(sums.service);
}

}  // namespace groupmamba::client
