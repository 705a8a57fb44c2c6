// Who a request comes from, as far as fair shares are concerned.

#ifndef GROUPMAMBA_SERVER_CLIENT_ID_H_
#define GROUPMAMBA_SERVER_CLIENT_ID_H_

#include <cstdint>

#include "absl/strings/string_view.h"

namespace groupmamba {

// For the address that gRPC names a peer by, such as "ipv4:10.0.0.7:41234": the
// same for all connections of one host, whatever their port. An identity that
// was proved, as by a token, is better where there is one. Never 0.
uint64_t ClientIdOfPeer(absl::string_view peer);

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_CLIENT_ID_H_
