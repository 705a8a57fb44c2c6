// The metrics page of a server that has just started is what docs/metrics.md
// says it is.

#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/server_fixture.h"
#include "tests/testing/metrics_reader.h"
#include "tests/testing/temp_dir.h"

namespace groupmamba {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAreArray;

// "name type label,label" for each line of the table.
std::vector<std::string> Documented() {
  std::vector<std::string> families;
  for (const absl::string_view line : absl::StrSplit(
           testing::ReadFileForTest(GM_SOURCE_DIR "/docs/metrics.md"), '\n')) {
    const std::vector<std::string> cells = absl::StrSplit(line, '|');
    if (cells.size() < 5 || !absl::StrContains(cells[1], '`')) continue;
    const auto plain = [](const std::string& cell) {
      return absl::StrReplaceAll(cell, {{"`", ""}, {" ", ""}});
    };
    families.push_back(absl::StrJoin(
        {plain(cells[1]), plain(cells[2]), plain(cells[3])}, " "));
  }
  return families;
}

// The keys of a sample's labels, without those that belong to its type.
std::set<std::string> KeysOf(absl::string_view line) {
  std::set<std::string> keys;
  const size_t open = line.find('{');
  if (open == absl::string_view::npos) return keys;
  for (const absl::string_view part : absl::StrSplit(
           line.substr(open + 1, line.rfind('}') - open - 1), "\",")) {
    const std::string key(part.substr(0, part.find('=')));
    if (key != "le" && key != "quantile") keys.insert(key);
  }
  return keys;
}

std::vector<std::string> Shown(const std::string& page) {
  std::vector<std::string> families;
  std::string family;
  std::set<std::string> keys;
  const auto add = [&] {
    if (family.empty()) return;
    families.push_back(absl::StrCat(family, " ", absl::StrJoin(keys, ",")));
    keys.clear();
  };
  for (absl::string_view line : absl::StrSplit(page, '\n')) {
    if (absl::ConsumePrefix(&line, "# TYPE ")) {
      add();
      family = std::string(line);
    } else if (!line.empty() && line[0] != '#') {
      keys.merge(KeysOf(line));
    }
  }
  add();
  return families;
}

class MetricsPageTest : public ServerFixture {
 protected:
  void SetUp() override {
    Start();
    // The page's own figures come with the second reading.
    ReadMetricsPage(server_->metrics_port());
    page_ = ReadMetricsPage(server_->metrics_port());
    page_ = page_.substr(page_.find("\r\n\r\n") + 4);
  }

  std::string page_;
};

TEST_F(MetricsPageTest, HasTheNamesTypesAndLabelsOfItsDocumentation) {
  EXPECT_THAT(Shown(page_), UnorderedElementsAreArray(Documented()));
}

TEST_F(MetricsPageTest, HasEverySetOfLabelsAtZeroFromTheStart) {
  for (const char* code :
       {"OK", "CANCELLED", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
        "RESOURCE_EXHAUSTED", "INTERNAL", "UNAVAILABLE"}) {
    for (const char* protocol : {"grpc", "v2"}) {
      for (const char* model : {"fake\",protocol=\"%\",version=\"1",
                                "(unknown)\",protocol=\"%\",version=\"0"}) {
        EXPECT_THAT(
            page_,
            HasSubstr(absl::StrCat(
                "\ngroupmamba_requests_total{code=\"", code, "\",model=\"",
                absl::StrReplaceAll(model, {{"%", protocol}}), "\"} 0\n")));
      }
    }
  }
  for (const char* sample :
       {"requests_started_total{protocol=\"grpc\"}",
        "requests_done_total{protocol=\"v2\"}",
        "admitted_ended_total{model=\"fake\",outcome=\"cancelled\"}",
        "refused_total{reason=\"over_share\"}",
        "batch_dispatch_total{model=\"fake\",reason=\"drain\"}",
        "stage_duration_seconds_count{model=\"fake\",stage=\"reply\"}",
        "stage_duration_seconds_bucket{model=\"fake\",stage=\"queue\","
        "le=\"1e-05\"}",
        "lines_dropped_total{sink=\"spans\"}"}) {
    EXPECT_THAT(page_,
                HasSubstr(absl::StrCat("\ngroupmamba_", sample, " 0\n")));
  }
}

}  // namespace
}  // namespace groupmamba
