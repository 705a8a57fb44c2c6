#include "model/training/launch.h"

#include <unistd.h>

#include <csignal>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace groupmamba::training {
namespace {

using ::testing::HasSubstr;
using Variables = std::map<std::string, std::string>;

absl::StatusOr<std::optional<PeerSpec>> Place(const Variables& variables) {
  return PeerFromEnvironment([&variables](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

const Variables kThird = {{"RANK", "2"},
                          {"WORLD_SIZE", "4"},
                          {"MASTER_ADDR", "train-master-0"},
                          {"MASTER_PORT", "23456"},
                          {"GLOO_SOCKET_IFNAME", "eth1"}};

TEST(PeerFromEnvironment, ReadsWhatTorchrunSets) {
  const auto place = Place(kThird);
  ASSERT_TRUE(place.ok() && place->has_value()) << place.status();
  EXPECT_EQ((*place)->rank, 2);
  EXPECT_EQ((*place)->size, 4);
  EXPECT_EQ((*place)->address, "train-master-0");
  EXPECT_EQ((*place)->port, 23456);
  EXPECT_EQ((*place)->interface, "eth1");
  // A PyTorchJob's process is alone in its pod, and nobody counts it there.
  EXPECT_EQ((*place)->local_rank, 0);
  EXPECT_EQ((*place)->local_size, 1);
}

TEST(PeerFromEnvironment, ReadsThePlaceOnThisMachine) {
  Variables variables = kThird;
  variables["LOCAL_WORLD_SIZE"] = "2";
  variables["LOCAL_RANK"] = "1";
  const auto place = Place(variables);
  ASSERT_TRUE(place.ok() && place->has_value()) << place.status();
  EXPECT_EQ((*place)->local_rank, 1);
  EXPECT_EQ((*place)->local_size, 2);
  for (const char* wrong : {"2", "-1", ""}) {
    variables["LOCAL_RANK"] = wrong;
    EXPECT_THAT(Place(variables).status().message(), HasSubstr("LOCAL_RANK"));
  }
  variables.erase("LOCAL_RANK");
  EXPECT_THAT(Place(variables).status().message(), HasSubstr("LOCAL_RANK"));
}

TEST(PeerFromEnvironment, WithoutWorldSizeThereIsOneProcess) {
  const auto place = Place({{"RANK", "2"}});
  ASSERT_TRUE(place.ok());
  EXPECT_FALSE(place->has_value());
}

TEST(PeerFromEnvironment, NamesTheVariableThatIsMissingOrWrong) {
  for (const char* name :
       {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}) {
    for (const char* value : {"", "-1", "70000"}) {
      if (std::string(name) == "MASTER_ADDR" && *value != '\0') continue;
      Variables variables = kThird;
      variables[name] = value;
      const auto place = Place(variables);
      EXPECT_EQ(place.status().code(), absl::StatusCode::kInvalidArgument);
      EXPECT_THAT(place.status().message(), HasSubstr(name));
    }
  }
}

TEST(RunLocally, EachProcessHasItsPlace) {
  const int code = RunLocally(3, [](const PeerSpec& spec) {
    const bool fine = spec.size == 3 && spec.rank < 3 && spec.port > 0 &&
                      spec.local_rank == spec.rank && spec.local_size == 3 &&
                      (spec.listen_fd >= 0) == (spec.rank == 0);
    return fine ? 0 : 1;
  });
  EXPECT_EQ(code, 0);
}

TEST(RunLocally, AllStoppedIsStopped) {
  EXPECT_EQ(RunLocally(2, [](const PeerSpec&) { return kStoppedCode; }),
            kStoppedCode);
}

TEST(RunLocally, EndsTheOthersWhenOneIsKilledAndNamesIt) {
  ::testing::internal::CaptureStderr();
  const int code = RunLocally(3, [](const PeerSpec& spec) {
    if (spec.rank == 1) raise(SIGKILL);
    while (true) pause();
    return 0;
  });
  EXPECT_EQ(code, 1);
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              HasSubstr("process 1 of 3 was killed by signal 9"));
}

TEST(RunLocally, EndsTheOthersWhenOneFailsAndNamesIt) {
  ::testing::internal::CaptureStderr();
  const int code = RunLocally(2, [](const PeerSpec& spec) {
    while (spec.rank == 1) pause();
    return 7;
  });
  EXPECT_EQ(code, 1);
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              HasSubstr("process 0 of 2 ended with code 7"));
}

}  // namespace
}  // namespace groupmamba::training
