#include "server/tokens.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/admission.h"
#include "server/call_gate.h"
#include "tests/testing/simulated_clock.h"
#include "tests/testing/temp_dir.h"

namespace groupmamba {
namespace {

using ::testing::HasSubstr;

// printf %s alpha | sha256sum, and so on.
constexpr char kAlpha[] =
    "8ed3f6ad685b959ead7022518e1af76cd816f8e8ec7ccdda1ed4018e8f2223f8";
constexpr char kBeta[] =
    "F44E64E75F3948E9F73F8DFA94721C4CE8CBB4F265C4790C702B2D41CFBF2753";

class TokensTest : public ::testing::Test {
 protected:
  std::string Write(const std::string& text) const {
    return folder_.Write("tokens", text);
  }
  std::string ErrorOf(const std::string& text) const {
    return std::string(Tokens::Load(Write(text)).status().message());
  }

  const testing::TempDir folder_;
};

TEST_F(TokensTest, ATokenMayDoWhatItsScopesSay) {
  const auto tokens = Tokens::Load(
      Write(absl::StrCat("# who may call\n\n", kAlpha, " classify a team\r\n",
                         kBeta, "\tadmin,classify\n")));
  ASSERT_TRUE(tokens.ok()) << tokens.status();
  const struct {
    const char* authorization;
    Scope scope;
    std::optional<Reason> refused;
  } table[] = {
      {"Bearer alpha", Scope::kClassify, std::nullopt},
      {"bearer  alpha", Scope::kClassify, std::nullopt},
      {"Bearer alpha", Scope::kAdmin, Reason::kNotAllowed},
      {"Bearer beta", Scope::kClassify, std::nullopt},
      {"Bearer beta", Scope::kAdmin, std::nullopt},
      {"Bearer gamma", Scope::kClassify, Reason::kWrongToken},
      {"Bearer gamma", Scope::kAdmin, Reason::kWrongToken},
      {"Bearer ", Scope::kClassify, Reason::kWrongToken},
      {"Bearer", Scope::kClassify, Reason::kNoToken},
      {"Basic alpha", Scope::kClassify, Reason::kNoToken},
      {"", Scope::kClassify, Reason::kNoToken},
      {"", Scope::kNone, std::nullopt},
      {"Bearer gamma", Scope::kNone, std::nullopt},
      {kAlpha, Scope::kClassify, Reason::kNoToken},
      {"Bearer "
       "8ed3f6ad685b959ead7022518e1af76cd816f8e8ec7ccdda1ed4018e8f2223f8",
       Scope::kClassify, Reason::kWrongToken},
  };
  for (const auto& row : table) {
    EXPECT_EQ((*tokens)->Refuse(row.authorization, row.scope), row.refused)
        << row.authorization;
  }
}

TEST_F(TokensTest, AWrongFileIsNamedByItsLine) {
  EXPECT_THAT(ErrorOf(""), HasSubstr("no token"));
  EXPECT_THAT(ErrorOf("# nobody\n"), HasSubstr("no token"));
  EXPECT_THAT(ErrorOf("\nalpha classify\n"), HasSubstr("line 2: a SHA-256"));
  EXPECT_THAT(ErrorOf(absl::StrCat(kAlpha, "\n")), HasSubstr("line 1"));
  EXPECT_THAT(ErrorOf(absl::StrCat(kAlpha, " root\n")),
              HasSubstr("a scope is classify or admin"));
  EXPECT_THAT(ErrorOf(absl::StrCat("x", kAlpha + 1, " admin\n")),
              HasSubstr("hexadecimal"));
  std::string many;
  for (size_t i = 0; i <= kMaxTokens; ++i) {
    absl::StrAppend(&many, kAlpha, " admin\n");
  }
  EXPECT_THAT(ErrorOf(many), HasSubstr("more than 1000"));
}

TEST_F(TokensTest, ReloadTakesANewFileAndKeepsTheOldOneOverABadOne) {
  const auto tokens = *Tokens::Load(Write(absl::StrCat(kAlpha, " classify")));
  Write("rubbish");
  EXPECT_FALSE(tokens->Reload().ok());
  EXPECT_EQ(tokens->Refuse("Bearer alpha", Scope::kClassify), std::nullopt);
  Write(absl::StrCat(kBeta, " classify"));
  EXPECT_TRUE(tokens->Reload().ok());
  EXPECT_EQ(tokens->Refuse("Bearer alpha", Scope::kClassify),
            Reason::kWrongToken);
  EXPECT_EQ(tokens->Refuse("Bearer beta", Scope::kClassify), std::nullopt);
}

TEST(ScopeTest, FollowsFromTheMethodAndTheListener) {
  const struct {
    const char* path;
    Scope open, admin;
  } table[] = {
      {"/grpc.health.v1.Health/Check", Scope::kNone, Scope::kNone},
      {"/grpc.health.v1.Health/Watch", Scope::kNone, Scope::kNone},
      {"/groupmamba.v1.Classifier/Classify", Scope::kClassify, Scope::kAdmin},
      {"/inference.GRPCInferenceService/ModelInfer", Scope::kClassify,
       Scope::kAdmin},
      {"/inference.GRPCInferenceService/RepositoryModelLoad", Scope::kAdmin,
       Scope::kAdmin},
      {"/inference.GRPCInferenceService/RepositoryModelUnload", Scope::kAdmin,
       Scope::kAdmin},
      {"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
       Scope::kClassify, Scope::kAdmin},
      {"/no.such.Service/Method", Scope::kClassify, Scope::kAdmin},
      {"", Scope::kClassify, Scope::kAdmin},
  };
  for (const auto& row : table) {
    EXPECT_EQ(ScopeOf(row.path, false), row.open) << row.path;
    EXPECT_EQ(ScopeOf(row.path, true), row.admin) << row.path;
  }
}

TEST_F(TokensTest, TheGateCountsWhatItRefusesAndLogsOneLineASecond) {
  const auto tokens = *Tokens::Load(Write(absl::StrCat(kAlpha, " classify")));
  const Admission admission{AdmissionLimits{}};
  Metrics metrics(&admission);
  SimulatedClock clock;
  CallGate gate(tokens.get(), false, &metrics, &clock);
  const char* const path = "/groupmamba.v1.Classifier/Classify";
  ::testing::internal::CaptureStderr();
  EXPECT_TRUE(gate.Check(path, "Bearer alpha").ok());
  EXPECT_EQ(gate.Check(path, "").code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(gate.Check(path, "Bearer x").code(),
            absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(gate.Check("/inference.GRPCInferenceService/RepositoryModelLoad",
                       "Bearer alpha")
                .code(),
            absl::StatusCode::kPermissionDenied);
  clock.Advance(std::chrono::seconds(1));
  EXPECT_FALSE(gate.Check(path, "").ok());
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("count=1 last=no_token"));
  EXPECT_THAT(log, HasSubstr("count=3 last=no_token"));
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 2);
  const std::string page = metrics.Page();
  for (const char* line : {"refused_total{reason=\"no_token\"} 2\n",
                           "refused_total{reason=\"wrong_token\"} 1\n",
                           "refused_total{reason=\"not_allowed\"} 1\n"}) {
    EXPECT_THAT(page, HasSubstr(line));
  }
}

}  // namespace
}  // namespace groupmamba
