#include "client/evaluate_output.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/json.h"
#include "client/text.h"

namespace groupmamba::client {
namespace {

constexpr int kMaxMatrixClasses = 20;
constexpr int kMaxListedClasses = 20;
constexpr int kWorstClasses = 10;
constexpr int kTopConfusions = 8;

// Labels that have pictures, by their index.
std::vector<int> LabelsWithPictures(const Evaluation& evaluation) {
  std::vector<int> labels;
  for (size_t i = 0; i < evaluation.labels().size(); ++i) {
    if (evaluation.per_class()[i].images > 0) {
      labels.push_back(static_cast<int>(i));
    }
  }
  return labels;
}

int LabelWidth(const Evaluation& evaluation, const std::vector<int>& labels) {
  int width = 5;
  for (const int label : labels) {
    width =
        std::max(width, DisplayWidth(Printable(evaluation.labels()[label])));
  }
  return width;
}

std::string ClassTable(const Evaluation& evaluation) {
  std::vector<int> labels = LabelsWithPictures(evaluation);
  std::string text = "\n";
  if (labels.size() > kMaxListedClasses) {
    std::stable_sort(labels.begin(), labels.end(), [&](int a, int b) {
      return evaluation.per_class()[a].top1() <
             evaluation.per_class()[b].top1();
    });
    absl::StrAppend(&text, "The ", kWorstClasses, " worst of ", labels.size(),
                    " classes:\n");
    labels.resize(kWorstClasses);
  }
  const int width = LabelWidth(evaluation, labels);
  absl::StrAppend(&text, PadRight("CLASS", width),
                  "  PICTURES    TOP-1    TOP-5\n");
  for (const int label : labels) {
    const Score& score = evaluation.per_class()[label];
    absl::StrAppend(&text,
                    PadRight(Printable(evaluation.labels()[label]), width),
                    PadLeft(WithThousands(score.images), 10),
                    PadLeft(FormatPercent(score.top1()), 9),
                    PadLeft(FormatPercent(score.top5()), 9), "\n");
  }
  return text;
}

std::string ConfusionMatrix(const Evaluation& evaluation) {
  const int classes = static_cast<int>(evaluation.labels().size());
  if (classes > kMaxMatrixClasses) return "";
  std::vector<int> all(classes);
  int cell_width = 4;
  for (int i = 0; i < classes; ++i) {
    all[i] = i;
    for (int j = 0; j < classes; ++j) {
      cell_width = std::max(
          cell_width, DisplayWidth(WithThousands(evaluation.Count(i, j))) + 2);
    }
  }
  const int width = LabelWidth(evaluation, all);
  std::string text =
      "\nConfusion: a row for each folder, a column for each first "
      "prediction\n";
  absl::StrAppend(&text, std::string(width + 4, ' '));
  for (int j = 0; j < classes; ++j) {
    absl::StrAppend(&text, PadLeft(absl::StrCat(j), cell_width));
  }
  absl::StrAppend(&text, "\n");
  for (int i = 0; i < classes; ++i) {
    absl::StrAppend(&text, PadLeft(absl::StrCat(i), 2), "  ",
                    PadRight(Printable(evaluation.labels()[i]), width));
    for (int j = 0; j < classes; ++j) {
      const int64_t count = evaluation.Count(i, j);
      absl::StrAppend(
          &text, PadLeft(count == 0 ? "." : WithThousands(count), cell_width));
    }
    absl::StrAppend(&text, "\n");
  }
  return text;
}

std::string TopConfusions(const Evaluation& evaluation) {
  const std::vector<Confusion> top = evaluation.TopConfusions(kTopConfusions);
  if (top.empty()) return "";
  std::string text = "\nMost frequent confusions\n";
  for (const Confusion& confusion : top) {
    const std::string truth = Printable(evaluation.labels()[confusion.truth]);
    const double share =
        static_cast<double>(confusion.images) /
        static_cast<double>(evaluation.per_class()[confusion.truth].images);
    absl::StrAppend(&text, PadLeft(WithThousands(confusion.images), 6), "  ",
                    truth, " taken for ",
                    Printable(evaluation.labels()[confusion.predicted]), " (",
                    FormatPercent(share), " of ", truth, ")\n");
  }
  return text;
}

Json ScoreJson(const Score& score) {
  return {{"images", score.images},
          {"top1", Rounded(score.top1(), 6)},
          {"top5", Rounded(score.top5(), 6)}};
}

}  // namespace

std::string EvaluateJson(const Evaluation& evaluation, Duration elapsed) {
  const std::vector<std::string>& labels = evaluation.labels();
  const double seconds = ToSeconds(elapsed);
  Json json = ScoreJson(evaluation.total());
  json["per_class"] = Json::object();
  for (const int label : LabelsWithPictures(evaluation)) {
    json["per_class"][labels[label]] = ScoreJson(evaluation.per_class()[label]);
  }
  json["confusion"] = Json::object();
  for (const Confusion& cell : evaluation.Cells()) {
    json["confusion"][labels[cell.truth]][labels[cell.predicted]] = cell.images;
  }
  json["failed"] = evaluation.failed();
  json["failures"] = Json::object();
  for (const auto& [code, failure] : evaluation.failures()) {
    json["failures"][absl::StatusCodeToString(code)] = failure.first;
  }
  json["seconds"] = Rounded(seconds, 3);
  json["images_per_s"] =
      Rounded(seconds > 0 ? evaluation.total().images / seconds : 0, 3);
  return ToLine(json);
}

std::string EvaluateText(const Evaluation& evaluation, Duration elapsed) {
  const Score& total = evaluation.total();
  const double seconds = ToSeconds(elapsed);
  std::string text = absl::StrCat(
      WithThousands(total.images), " pictures in ", FormatSeconds(seconds),
      " (", Significant(seconds > 0 ? total.images / seconds : 0),
      " pictures/s)\n");
  for (const auto& [code, failure] : evaluation.failures()) {
    absl::StrAppend(
        &text, WithThousands(failure.first),
        " failed and count in no figure: ", absl::StatusCodeToString(code),
        ": ", Printable(failure.second), "\n");
  }
  if (total.images == 0) return text;
  absl::StrAppendFormat(&text, "top-1  %.2f %%\ntop-5  %.2f %%\n",
                        100 * total.top1(), 100 * total.top5());
  absl::StrAppend(&text, ClassTable(evaluation), ConfusionMatrix(evaluation),
                  TopConfusions(evaluation));
  return text;
}

std::string ProgressText(int64_t done, int64_t total, Duration elapsed) {
  const double fraction = static_cast<double>(done) / total;
  const double seconds = ToSeconds(elapsed);
  std::string text = absl::StrCat(
      "  ", PadLeft(WithThousands(done), DisplayWidth(WithThousands(total))),
      " / ", WithThousands(total), "  ", Bar(fraction, 24), "  ",
      PadLeft(FormatPercent(fraction), 7));
  if (done > 0 && seconds > 0) {
    absl::StrAppend(&text, "  ", Significant(done / seconds), " pictures/s  ",
                    FormatSeconds(seconds / done * (total - done)), " left");
  }
  return text;
}

}  // namespace groupmamba::client
