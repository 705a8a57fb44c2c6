// Bad input over the wire: the right code, the reason in the message, nothing
// of the server's own in it, and the next good call answered as if nothing had
// been.

#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/integration/server_fixture.h"
#include "tests/testing/test_pictures.h"

namespace groupmamba {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class BadInputTest : public ServerFixture {
 protected:
  void SetUp() override {
    Start();
    good_ = MakePng(64, 48, 1);
    before_ = PredictionsOf(good_);
    ASSERT_FALSE(before_.empty());
  }

  std::string PredictionsOf(const std::string& file) {
    v1::ClassifyResponse response;
    const grpc::Status status = ClassifyFile(file, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    response.clear_timing();
    response.clear_request_id();
    return response.SerializeAsString();
  }

  // The message of the refusal.
  std::string ExpectRefused(const v1::ClassifyRequest& request,
                            grpc::StatusCode code) {
    v1::ClassifyResponse response;
    const grpc::Status status = Classify(request, &response);
    EXPECT_EQ(status.error_code(), code) << status.error_message();
    const std::string message = status.error_message();
    for (const char* leak : {"/", ".cc", "127.0.0.1", "libpng", "cv::"}) {
      EXPECT_THAT(message, Not(HasSubstr(leak)));
    }
    EXPECT_EQ(PredictionsOf(good_), before_) << "after " << message;
    return message;
  }

  std::string ExpectInvalid(const std::string& file) {
    v1::ClassifyRequest request;
    request.set_encoded(file);
    return ExpectRefused(request, grpc::StatusCode::INVALID_ARGUMENT);
  }

  std::string good_;
  std::string before_;
};

TEST_F(BadInputTest, Empty) {
  EXPECT_THAT(ExpectInvalid(""), StartsWith("empty_image: "));
}

TEST_F(BadInputTest, NoPictureAtAll) {
  EXPECT_THAT(ExpectRefused({}, grpc::StatusCode::INVALID_ARGUMENT),
              StartsWith("no_picture: "));
}

TEST_F(BadInputTest, RandomBytes) {
  std::mt19937 random(1);
  for (int i = 0; i < 20; ++i) {
    std::string bytes(1 + random() % 5000, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    EXPECT_THAT(ExpectInvalid(bytes), StartsWith("unknown_format: "));
  }
}

TEST_F(BadInputTest, TruncatedAtTwentyPlaces) {
  for (int i = 1; i <= 20; ++i) {
    const std::string part = good_.substr(0, good_.size() * i / 21);
    EXPECT_THAT(
        ExpectInvalid(part),
        ::testing::MatchesRegex("(truncated|corrupt|unknown_format): .*"))
        << part.size() << " of " << good_.size();
  }
}

TEST_F(BadInputTest, FlippedBitsAreAnErrorOrAPictureNeverTheEnd) {
  std::mt19937 random(2);
  for (int i = 0; i < 50; ++i) {
    std::string flipped = good_;
    flipped[random() % flipped.size()] ^= static_cast<char>(1 << random() % 8);
    v1::ClassifyResponse response;
    const grpc::Status status = ClassifyFile(flipped, &response);
    EXPECT_TRUE(status.ok() ||
                status.error_code() == grpc::StatusCode::INVALID_ARGUMENT)
        << status.error_message();
  }
  EXPECT_EQ(PredictionsOf(good_), before_);
}

TEST_F(BadInputTest, WrongMagicWithARightTail) {
  std::string file = good_;
  file[0] = 'X';
  EXPECT_THAT(ExpectInvalid(file), StartsWith("unknown_format: "));
}

TEST_F(BadInputTest, HeaderOf30000By30000) {
  EXPECT_THAT(ExpectInvalid(WithPngSize(good_, 30'000, 30'000)),
              StartsWith("too_many_pixels: "));
}

TEST_F(BadInputTest, TwentyMegabytes) {
  EXPECT_THAT(ExpectInvalid(good_ + std::string(20 << 20, '\0')),
              StartsWith("too_many_bytes: "));
}

TEST_F(BadInputTest, AMessageOverTheCap) {
  v1::ClassifyRequest request;
  request.set_encoded(std::string((32 << 20) + 1, 'x'));
  ExpectRefused(request, grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(BadInputTest, RawPicturesThatDoNotFitTheirSize) {
  const struct {
    uint32_t width, height;
    size_t bytes;
    const char* reason;
  } table[] = {
      {0, 0, 0, "bad_shape: "},
      {4, 4, 47, "bad_shape: "},
      {4, 4, 49, "bad_shape: "},
      {UINT32_MAX, UINT32_MAX, 3, "too_many_pixels: "},
      {30'000, 30'000, 3, "too_many_pixels: "},
  };
  for (const auto& row : table) {
    v1::ClassifyRequest request;
    request.mutable_raw()->set_width(row.width);
    request.mutable_raw()->set_height(row.height);
    request.mutable_raw()->set_rgb(std::string(row.bytes, 'x'));
    EXPECT_THAT(ExpectRefused(request, grpc::StatusCode::INVALID_ARGUMENT),
                StartsWith(row.reason));
  }
}

TEST_F(BadInputTest, UnknownModelsAndVersions) {
  v1::ClassifyRequest request;
  request.set_encoded(good_);
  request.set_model("/etc/passwd");
  EXPECT_THAT(ExpectRefused(request, grpc::StatusCode::NOT_FOUND),
              StartsWith("unknown_model: "));
  request.set_model("fake");
  request.set_version(2);
  EXPECT_THAT(ExpectRefused(request, grpc::StatusCode::NOT_FOUND),
              StartsWith("unknown_version: "));
}

}  // namespace
}  // namespace groupmamba
