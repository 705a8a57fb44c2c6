// Pictures that attack the decoder, through the whole server, with decoding in
// processes of their own and without: who sent one gets an error, the others
// their answers, and the server's process goes on.

#include <signal.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "grpcpp/grpcpp.h"
#include "tests/integration/server_fixture.h"
#include "tests/testing/image_encoders.h"
#include "tests/testing/metrics_reader.h"
#include "tests/testing/server_process.h"
#include "tests/testing/test_pictures.h"

namespace groupmamba {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string Text(const Bytes& bytes) {
  return std::string(bytes.begin(), bytes.end());
}

class HostileDecoderTest : public ServerFixture {
 protected:
  void SetUp() override {
    ServerOptions options = Options();
    options.decoder_program = GM_BIN_DIR "/hostile_decoder";
    Start(options);
  }

  grpc::Status Send(const std::string& command) {
    v1::ClassifyResponse response;
    return ClassifyFile(command, &response);
  }

  std::string Restarts() {
    const std::string page = server_->metrics().Page();
    const size_t at = page.find("\ngroupmamba_decoder_restarts_total ");
    return page.substr(at + 1, page.find('\n', at + 1) - at - 1);
  }
};

TEST_F(HostileDecoderTest, ACrashIsInternalAndCounted) {
  EXPECT_EQ(Restarts(), "groupmamba_decoder_restarts_total 0");
  for (const char* command : {"crash", "be killed", "open a file"}) {
    const grpc::Status status = Send(command);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INTERNAL) << command;
    EXPECT_THAT(status.error_message(), StartsWith("decoder_crash: "));
    EXPECT_TRUE(Send("work").ok());
  }
  // Of two decoders, the one that lives is taken before the other is restarted.
  EXPECT_EQ(Restarts(), "groupmamba_decoder_restarts_total 2");
}

TEST_F(HostileDecoderTest, OneThatHangsHoldsUpNobodyElse) {
  std::thread hung([this] {
    EXPECT_EQ(Send("stop").error_code(), grpc::StatusCode::INTERNAL);
  });
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(Send("work").ok());
  hung.join();
  EXPECT_TRUE(Send("work").ok());
}

TEST(DecodersOfTheServerTest, ThatCannotBeStartedAreAnErrorOfTheStart) {
  ServerOptions options;
  options.transport.listen = "127.0.0.1:0";
  options.metrics_listen = "127.0.0.1:0";
  options.decoder_program = "/nonexistent/decoder";
  EXPECT_FALSE(Server::Start(options, {FakeModel()}, RealClock::Get()).ok());
}

// ---- the programs themselves

// Files that end, fill or hold up a server that decodes carelessly.
std::vector<std::string> QueriesOfDeath() {
  const cv::Mat small = MakePicture(64, 48, 3, 1);
  std::vector<std::string> files = {"", std::string(1000, '\xff')};
  // Other libraries' formats behind WebP's magic or alone.
  std::string dicom(135, '\0');
  dicom.replace(0, 15, "RIFF\x7f\0\0\0WEBPVP8", 15);
  dicom[15] = ' ';
  dicom.replace(128, 4, "DICM");
  files.push_back(dicom);
  for (const char* magic : {"NITF02.10", "\x76\x2f\x31\x01", "II*", "MM", "BM",
                            "GIF89a", "P6 1 1 255 "}) {
    files.push_back(std::string(magic) + std::string(100, '\0'));
  }
  // Bombs: dimensions that are only claimed, and true ones.
  const std::string png = Text(EncodePng(small));
  files.push_back(WithPngSize(png, 65'500, 65'500));
  files.push_back(WithPngSize(png, 7'000, 7'000));
  const cv::Mat large(7000, 7000, CV_8UC1, cv::Scalar(9));
  PngOptions gray;
  gray.color_type = 0;
  gray.interlaced = true;
  files.push_back(Text(EncodePng(large, gray)));
  JpegOptions scans;
  scans.scan_per_coefficient = true;
  files.push_back(Text(EncodeJpeg(small, scans)));
  JpegOptions progressive;
  progressive.progressive = true;
  files.push_back(Text(EncodeJpeg(large, progressive)));
  files.push_back(Text(EncodeWebp(cv::Mat(4000, 4000, CV_8UC4), true)));
  // Cut and damaged.
  for (const Bytes& file :
       {EncodeJpeg(small), EncodePng(small), EncodeWebp(small, false)}) {
    const std::string whole = Text(file);
    for (size_t i = 1; i < 10; ++i) {
      files.push_back(whole.substr(0, whole.size() * i / 10));
      files.push_back(whole);
      files.back()[whole.size() * i / 10] ^= '\x55';
    }
  }
  files.push_back(Text(EncodePng(small)) + std::string(1 << 20, 'x'));
  return files;
}

class QueryOfDeathTest : public ::testing::TestWithParam<const char*> {};

TEST_P(QueryOfDeathTest, TheSameProcessAnswersAGoodCallAsBefore) {
  ServerProcess server(
      GM_BIN_DIR "/groupmamba-server",
      {"--listen=127.0.0.1:0", "--metrics=127.0.0.1:0", "--engine=fake:0",
       "--decode-threads=2", absl::StrCat("--decode-isolation=", GetParam())});
  ASSERT_TRUE(server.AwaitServing());
  const auto stub = v1::Classifier::NewStub(
      grpc::CreateChannel(absl::StrCat("127.0.0.1:", server.port()),
                          grpc::InsecureChannelCredentials()));
  const auto classify = [&](const std::string& file, std::string* answer) {
    v1::ClassifyRequest request;
    request.set_encoded(file);
    v1::ClassifyResponse response;
    grpc::ClientContext context;
    const grpc::Status status = stub->Classify(&context, request, &response);
    response.clear_timing();
    response.clear_request_id();
    if (answer != nullptr) *answer = response.SerializeAsString();
    return status;
  };
  std::string before;
  ASSERT_TRUE(classify(MakePng(64, 48, 1), &before).ok());

  for (const std::string& file : QueriesOfDeath()) {
    const grpc::Status status = classify(file, nullptr);
    EXPECT_TRUE(status.ok() ||
                status.error_code() == grpc::StatusCode::INVALID_ARGUMENT)
        << status.error_message();
    std::string after;
    ASSERT_TRUE(classify(MakePng(64, 48, 1), &after).ok());
    ASSERT_EQ(after, before);
  }
  EXPECT_THAT(ReadMetricsPage(server.metrics_port()),
              HasSubstr("\ngroupmamba_decoder_restarts_total 0\n"));
  server.Signal(SIGTERM);
  EXPECT_EQ(server.Wait(), 0);
}

// Whether a process is gone, or dead and nobody has asked how it ended.
bool HasEnded(pid_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/stat"));
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  const size_t name_end = text.rfind(')');
  return name_end == std::string::npos || text[name_end + 2] == 'Z';
}

std::vector<pid_t> ChildrenOf(pid_t pid) {
  std::vector<pid_t> children;
  for (const auto& task : std::filesystem::directory_iterator(
           absl::StrCat("/proc/", pid, "/task"))) {
    std::ifstream file(task.path() / "children");
    for (pid_t child = 0; file >> child;) children.push_back(child);
  }
  return children;
}

TEST(DecodersOfTheServerTest, EndWithIt) {
  ServerProcess server(
      GM_BIN_DIR "/groupmamba-server",
      {"--listen=127.0.0.1:0", "--metrics=127.0.0.1:0", "--engine=fake:0",
       "--decode-threads=3", "--decode-isolation=process"});
  ASSERT_TRUE(server.AwaitServing());
  const std::vector<pid_t> decoders = ChildrenOf(server.pid());
  ASSERT_EQ(decoders.size(), 3u);
  kill(decoders[0], SIGSTOP);  // even one that cannot notice
  server.Signal(SIGKILL);
  server.Wait();
  for (const pid_t decoder : decoders) {
    while (!HasEnded(decoder)) std::this_thread::yield();
  }
}

INSTANTIATE_TEST_SUITE_P(Isolation, QueryOfDeathTest,
                         ::testing::Values("none", "process"),
                         [](const auto& info) {
                           return std::string(info.param);
                         });

}  // namespace
}  // namespace groupmamba
