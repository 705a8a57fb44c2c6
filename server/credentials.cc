#include "server/credentials.h"

#include <cstdlib>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "grpc/grpc.h"
#include "grpc/grpc_security.h"
#include "grpc/slice.h"

namespace groupmamba {
namespace {

absl::string_view View(const grpc_slice& slice) {
  return {reinterpret_cast<const char*>(GRPC_SLICE_START_PTR(slice)),
          GRPC_SLICE_LENGTH(slice)};
}

class Credentials final : public grpc::ServerCredentials {
 public:
  Credentials(const Certificates* certificates, CallGate* gate)
      : certificates_(certificates),
        credentials_(certificates == nullptr
                         ? grpc_insecure_server_credentials_create()
                         : MakeTls()) {
    if (gate != nullptr) {
      grpc_server_credentials_set_auth_metadata_processor(
          credentials_, {&Credentials::Process, nullptr, gate});
    }
  }
  ~Credentials() override { grpc_server_credentials_release(credentials_); }

  // Not for us: the gate is set by the constructor.
  void SetAuthMetadataProcessor(
      const std::shared_ptr<grpc::AuthMetadataProcessor>&) override {
    std::abort();
  }

 private:
  int AddPortToServer(const std::string& address,
                      grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), credentials_);
  }

  grpc_server_credentials* MakeTls() {
    return grpc_ssl_server_credentials_create_with_options(
        grpc_ssl_server_credentials_create_options_using_config_fetcher(
            certificates_->wants_clients()
                ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE,
            &Credentials::Fetch, this));
  }

  // gRPC calls it for each new connection, one at a time.
  static grpc_ssl_certificate_config_reload_status Fetch(
      void* self, grpc_ssl_server_certificate_config** config) {
    auto* const credentials = static_cast<Credentials*>(self);
    auto current = credentials->certificates_->current();
    if (current == credentials->fetched_) {
      return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    }
    const grpc_ssl_pem_key_cert_pair pair = {current->key.c_str(),
                                             current->certificate.c_str()};
    // gRPC insists on authorities, even where it asks for no certificate and
    // so uses none.
    const std::string& authorities = credentials->certificates_->wants_clients()
                                         ? current->client_authorities
                                         : current->certificate;
    *config = grpc_ssl_server_certificate_config_create(authorities.c_str(),
                                                        &pair, 1);
    credentials->fetched_ = std::move(current);
    return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
  }

  static void Process(void* gate, grpc_auth_context*,
                      const grpc_metadata* metadata, size_t count,
                      grpc_process_auth_metadata_done_cb done, void* call) {
    absl::string_view path;
    absl::string_view authorization;
    for (size_t i = 0; i < count; ++i) {
      const absl::string_view key = View(metadata[i].key);
      if (key == ":path") path = View(metadata[i].value);
      if (key == "authorization") authorization = View(metadata[i].value);
    }
    const absl::Status status =
        static_cast<CallGate*>(gate)->Check(path, authorization);
    done(call, nullptr, 0, nullptr, 0,
         static_cast<grpc_status_code>(status.raw_code()),
         status.ok() ? nullptr : std::string(status.message()).c_str());
  }

  const Certificates* const certificates_;
  std::shared_ptr<const Certificates::Pem> fetched_;  // by Fetch alone
  grpc_server_credentials* const credentials_;
};

}  // namespace

std::shared_ptr<grpc::ServerCredentials> MakeCredentials(
    const Certificates* certificates, CallGate* gate) {
  return std::make_shared<Credentials>(certificates, gate);
}

}  // namespace groupmamba
