#include "server/client_id.h"

#include "gtest/gtest.h"

namespace groupmamba {
namespace {

TEST(ClientIdTest, AllConnectionsOfOneHostAreOneClient) {
  EXPECT_EQ(ClientIdOfPeer("ipv4:10.0.0.7:41234"),
            ClientIdOfPeer("ipv4:10.0.0.7:1"));
  EXPECT_EQ(ClientIdOfPeer("ipv6:%5B2001:db8::1%5D:41234"),
            ClientIdOfPeer("ipv6:%5B2001:db8::1%5D:1"));
}

TEST(ClientIdTest, HostsAreToldApart) {
  EXPECT_NE(ClientIdOfPeer("ipv4:10.0.0.7:1"),
            ClientIdOfPeer("ipv4:10.0.0.8:1"));
  EXPECT_NE(ClientIdOfPeer("ipv6:%5B2001:db8::1%5D:1"),
            ClientIdOfPeer("ipv6:%5B2001:db8::2%5D:1"));
  EXPECT_NE(ClientIdOfPeer("unix:/a:1"), ClientIdOfPeer("unix:/a:2"));
}

TEST(ClientIdTest, NobodyIsNought) {
  for (const char* peer : {"", ":", "ipv4:", "unknown"}) {
    EXPECT_NE(ClientIdOfPeer(peer), 0u) << peer;
  }
}

}  // namespace
}  // namespace groupmamba
