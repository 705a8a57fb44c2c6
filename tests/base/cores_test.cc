#include "base/cores.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "absl/strings/string_view.h"
#include "tests/testing/temp_dir.h"

namespace groupmamba {
namespace {

using ::groupmamba::testing::TempDir;

// A root folder whose /proc/self/cgroup says `groups`.
class CpuQuotaTest : public ::testing::Test {
 protected:
  void SetGroups(absl::string_view lines) {
    root_.Write("proc/self/cgroup", lines);
  }
  void Write(absl::string_view name, absl::string_view content) {
    root_.Write("sys/fs/cgroup/" + std::string(name), content);
  }
  double Quota() const { return CpuQuota(root_.path()); }

 private:
  TempDir root_;
};

TEST_F(CpuQuotaTest, IsNoneWhereNothingSaysOtherwise) {
  EXPECT_EQ(Quota(), 0);
  SetGroups("0::/a\n");
  EXPECT_EQ(Quota(), 0);
  Write("a/cpu.max", "max 100000\n");
  EXPECT_EQ(Quota(), 0);
}

TEST_F(CpuQuotaTest, IsTheGroupsInVersion2) {
  SetGroups("0::/\n");
  Write("cpu.max", "250000 100000\n");
  EXPECT_EQ(Quota(), 2.5);
}

TEST_F(CpuQuotaTest, IsTheSmallestOfAllGroupsAround) {
  SetGroups("0::/pods/one/server\n");
  Write("pods/one/server/cpu.max", "max 100000\n");
  Write("pods/one/cpu.max", "300000 100000\n");
  Write("pods/cpu.max", "800000 100000\n");
  EXPECT_EQ(Quota(), 3);
}

TEST_F(CpuQuotaTest, IsTheCpuControllersInVersion1) {
  SetGroups("12:memory:/m\n4:cpu,cpuacct:/c\n0::/\n");
  Write("cpu/c/cpu.cfs_quota_us", "50000\n");
  Write("cpu/c/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(Quota(), 0.5);
  Write("cpu/c/cpu.cfs_quota_us", "-1\n");
  EXPECT_EQ(Quota(), 0);
}

TEST(UsableCoresTest, AreAtLeastOneAndNoMoreThanTheProcessorHas) {
  EXPECT_GE(UsableCores(), 1);
  EXPECT_LE(UsableCores(),
            static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace
}  // namespace groupmamba
