#include "server/client_id.h"

#include "absl/hash/hash.h"
#include "absl/strings/match.h"

namespace groupmamba {

uint64_t ClientIdOfPeer(absl::string_view peer) {
  if (absl::StartsWith(peer, "ipv4:") || absl::StartsWith(peer, "ipv6:")) {
    peer = peer.substr(0, peer.rfind(':'));
  }
  return absl::HashOf(peer) | 1;
}

}  // namespace groupmamba
