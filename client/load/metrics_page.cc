#include "client/load/metrics_page.h"

#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/clock.h"

namespace groupmamba::client {
namespace {

constexpr size_t kMaxPageBytes = 8 << 20;
constexpr std::chrono::seconds kPatience(5);

// key="value", with \\, \" and \n in the value; takes it off the front of
// `text`. False: there is none.
bool ConsumeLabel(absl::string_view* text,
                  std::map<std::string, std::string>* labels) {
  const size_t equals = text->find("=\"");
  if (equals == absl::string_view::npos) return false;
  const std::string key(absl::StripAsciiWhitespace(text->substr(0, equals)));
  std::string value;
  for (size_t i = equals + 2; i < text->size(); ++i) {
    const char c = (*text)[i];
    if (c == '"') {
      text->remove_prefix(i + 1);
      absl::ConsumePrefix(text, ",");
      (*labels)[key] = value;
      return true;
    }
    if (c == '\\' && i + 1 < text->size()) {
      const char escaped = (*text)[++i];
      value.push_back(escaped == 'n' ? '\n' : escaped);
    } else {
      value.push_back(c);
    }
  }
  return false;
}

std::optional<Sample> ParseLine(absl::string_view line) {
  Sample sample;
  if (line.empty() || line[0] == '#') return std::nullopt;
  absl::string_view rest;
  const size_t open = line.find('{');
  const size_t close = line.rfind('}');
  if (open != absl::string_view::npos && close != absl::string_view::npos &&
      open < close) {
    sample.name = std::string(line.substr(0, open));
    absl::string_view labels = line.substr(open + 1, close - open - 1);
    while (ConsumeLabel(&labels, &sample.labels)) continue;
    rest = line.substr(close + 1);
  } else {
    const size_t space = line.find(' ');
    if (space == absl::string_view::npos) return std::nullopt;
    sample.name = std::string(line.substr(0, space));
    rest = line.substr(space);
  }
  // A time may follow the value.
  const std::vector<absl::string_view> words =
      absl::StrSplit(rest, ' ', absl::SkipWhitespace());
  if (words.empty() || !absl::SimpleAtod(words[0], &sample.value)) {
    return std::nullopt;
  }
  return sample;
}

// A socket that is closed with its scope.
class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

// Calls `use` with a connection; false where there is none or `use` says so.
bool Connect(const std::string& host, const std::string& port,
             const std::function<bool(int fd)>& use) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0) {
    return false;
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found,
                                                                 freeaddrinfo);
  for (const addrinfo* a = found; a != nullptr; a = a->ai_next) {
    const Socket socket_of(
        socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, a->ai_protocol));
    const timeval patience = {kPatience.count(), 0};
    setsockopt(socket_of.fd(), SOL_SOCKET, SO_SNDTIMEO, &patience,
               sizeof(patience));
    setsockopt(socket_of.fd(), SOL_SOCKET, SO_RCVTIMEO, &patience,
               sizeof(patience));
    if (connect(socket_of.fd(), a->ai_addr, a->ai_addrlen) == 0) {
      return use(socket_of.fd());
    }
  }
  return false;
}

// The whole answer; false where the connection broke or took too long.
bool Exchange(int fd, const std::string& request, std::string* answer) {
  const TimePoint until = RealClock::Get()->Now() + kPatience;
  if (send(fd, request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size())) {
    return false;
  }
  char buffer[16 << 10];
  for (;;) {
    const ssize_t n = recv(fd, buffer, sizeof(buffer), 0);
    if (n == 0) return true;
    if (n < 0 || RealClock::Get()->Now() > until) return false;
    answer->append(buffer, n);
    if (answer->size() > kMaxPageBytes) return false;
  }
}

// The sum of the samples of that name, by the value of a label.
std::map<std::string, double> SumBy(const MetricsPage& page,
                                    absl::string_view name,
                                    const std::string& label) {
  std::map<std::string, double> sums;
  for (const Sample& sample : page) {
    if (sample.name != name) continue;
    const auto found = sample.labels.find(label);
    sums[found == sample.labels.end() ? "" : found->second] += sample.value;
  }
  return sums;
}

double Sum(const MetricsPage& page, absl::string_view name) {
  double sum = 0;
  for (const Sample& sample : page) {
    if (sample.name == name) sum += sample.value;
  }
  return sum;
}

std::map<std::string, double> Change(const MetricsPage& before,
                                     const MetricsPage& after,
                                     absl::string_view name,
                                     const std::string& label) {
  std::map<std::string, double> change = SumBy(after, name, label);
  for (const auto& [key, value] : SumBy(before, name, label)) {
    change[key] -= value;
  }
  return change;
}

double Change(const MetricsPage& before, const MetricsPage& after,
              absl::string_view name) {
  return Sum(after, name) - Sum(before, name);
}

// The page's buckets count everything up to their bound; these what is between.
std::vector<std::pair<double, double>> BatchSizes(const MetricsPage& before,
                                                  const MetricsPage& after) {
  std::map<double, double> up_to;
  for (const auto& [bound, count] :
       Change(before, after, "groupmamba_batch_size_bucket", "le")) {
    double value = std::numeric_limits<double>::infinity();
    if (bound != "+Inf" && !absl::SimpleAtod(bound, &value)) continue;
    up_to[value] = count;
  }
  std::vector<std::pair<double, double>> sizes;
  double below = 0;
  for (const auto& [bound, count] : up_to) {
    sizes.emplace_back(bound, count - below);
    below = count;
  }
  return sizes;
}

void Add(const std::map<std::string, double>& from,
         std::map<std::string, double>* to) {
  for (const auto& [key, value] : from) (*to)[key] += value;
}

}  // namespace

MetricsPage ParseMetrics(absl::string_view text) {
  MetricsPage page;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    if (auto sample = ParseLine(absl::StripAsciiWhitespace(line))) {
      page.push_back(*std::move(sample));
    }
  }
  return page;
}

absl::StatusOr<MetricsPage> FetchMetrics(const std::string& address) {
  const size_t colon = address.rfind(':');
  const absl::Status missing = absl::UnavailableError(
      absl::StrCat("no metrics page at ", address, "/metrics"));
  if (colon == std::string::npos) return missing;
  std::string host = address.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  std::string answer;
  // HTTP 1.0: the body ends with the connection, and comes in one piece.
  const std::string request = absl::StrCat(
      "GET /metrics HTTP/1.0\r\nHost: ", host, "\r\nConnection: close\r\n\r\n");
  if (!Connect(host, address.substr(colon + 1),
               [&](int fd) { return Exchange(fd, request, &answer); })) {
    return missing;
  }
  const size_t body = answer.find("\r\n\r\n");
  if (!absl::StartsWith(answer, "HTTP/1.") || body == std::string::npos ||
      answer.substr(8, 5) != " 200 ") {
    return missing;
  }
  return ParseMetrics(absl::string_view(answer).substr(body + 4));
}

absl::StatusOr<ServerActivity> Between(const MetricsPage& before,
                                       const MetricsPage& after) {
  constexpr absl::string_view kStarted = "process_start_time_seconds";
  if (Sum(before, kStarted) != Sum(after, kStarted)) {
    return absl::UnavailableError(
        "the server was restarted during the run; its counters say nothing");
  }
  ServerActivity activity;
  for (const Sample& sample : after) {
    if (sample.name != "groupmamba_build_info") continue;
    const auto version = sample.labels.find("version");
    if (version != sample.labels.end()) activity.version = version->second;
  }
  activity.codes = Change(before, after, "groupmamba_requests_total", "code");
  activity.refused =
      Change(before, after, "groupmamba_refused_total", "reason");
  activity.dispatch =
      Change(before, after, "groupmamba_batch_dispatch_total", "reason");
  activity.images = Change(before, after, "groupmamba_images_total");
  activity.batches = Change(before, after, "groupmamba_batches_total");
  for (const auto& [stage, count] : Change(
           before, after, "groupmamba_stage_duration_seconds_count", "stage")) {
    activity.stages[stage].count = count;
  }
  for (const auto& [stage, seconds] : Change(
           before, after, "groupmamba_stage_duration_seconds_sum", "stage")) {
    activity.stages[stage].seconds = seconds;
  }
  activity.batch_sizes = BatchSizes(before, after);
  activity.cpu_seconds = Change(before, after, "process_cpu_seconds_total");
  activity.resident_bytes = Sum(after, "process_resident_memory_bytes");
  return activity;
}

void ServerActivity::Merge(const ServerActivity& other) {
  if (!other.version.empty()) version = other.version;
  Add(other.codes, &codes);
  Add(other.refused, &refused);
  Add(other.dispatch, &dispatch);
  images += other.images;
  batches += other.batches;
  for (const auto& [name, stage] : other.stages) {
    stages[name].count += stage.count;
    stages[name].seconds += stage.seconds;
  }
  if (batch_sizes.empty()) {
    batch_sizes = other.batch_sizes;
  } else {
    for (size_t i = 0; i < batch_sizes.size() && i < other.batch_sizes.size();
         ++i) {
      batch_sizes[i].second += other.batch_sizes[i].second;
    }
  }
  cpu_seconds += other.cpu_seconds;
  resident_bytes += other.resident_bytes;
}

}  // namespace groupmamba::client
