#include "server/client_id.h"

#include <memory>
#include <string>

#include "absl/hash/hash.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "grpc/grpc_security_constants.h"
#include "grpcpp/security/auth_context.h"
#include "server/call_start.h"
#include "server/tokens.h"

namespace groupmamba {
namespace {

uint64_t IdOf(absl::string_view name) { return absl::HashOf(name) | 1; }

// Its subject, and every other name that it is for.
std::string CertificateNames(const grpc::AuthContext& context) {
  std::string names;
  for (const char* property :
       {GRPC_X509_SUBJECT_PROPERTY_NAME, GRPC_X509_SAN_PROPERTY_NAME}) {
    for (const grpc::string_ref& name : context.FindPropertyValues(property)) {
      absl::StrAppend(&names, absl::string_view(name.data(), name.size()),
                      "\n");
    }
  }
  return names;
}

}  // namespace

uint64_t ClientIdOfPeer(absl::string_view peer) {
  if (absl::StartsWith(peer, "ipv4:") || absl::StartsWith(peer, "ipv6:")) {
    peer = peer.substr(0, peer.rfind(':'));
  }
  return IdOf(peer);
}

uint64_t ClientIdOf(const grpc::CallbackServerContext& context, Proof proof) {
  switch (proof) {
    case Proof::kToken:
      return IdOf(BearerToken(HeaderOf(context, "authorization")).value_or(""));
    case Proof::kCertificate:
      return IdOf(CertificateNames(*context.auth_context()));
    case Proof::kNone:
      break;
  }
  return ClientIdOfPeer(context.peer());
}

}  // namespace groupmamba
