#include "server/transport.h"

#include "base/status_macros.h"

namespace groupmamba {

absl::StatusOr<std::unique_ptr<Transport>> Transport::Start(
    const TransportOptions& options, const TransportServices& services) {
  std::unique_ptr<Transport> transport(new Transport);
  GM_ASSIGN_OR_RETURN(
      transport->open_,
      Listener::Start({.address = options.listen, .limits = options.limits},
                      services.open));
  if (!options.admin.empty()) {
    GM_ASSIGN_OR_RETURN(transport->admin_,
                        Listener::Start({.address = options.admin,
                                         .limits = options.limits,
                                         .reflection = true},
                                        services.admin));
  }
  if (!options.health.empty()) {
    GM_ASSIGN_OR_RETURN(
        transport->health_,
        Listener::Start({.address = options.health, .limits = options.limits},
                        services.health));
  }
  return transport;
}

void Transport::Shutdown(Duration grace) {
  for (Listener* listener : {open_.get(), admin_.get(), health_.get()}) {
    if (listener != nullptr) listener->Shutdown(grace);
  }
}

}  // namespace groupmamba
