// See server/socket_hooks.cc.

#ifndef GROUPMAMBA_SERVER_SOCKET_HOOKS_H_
#define GROUPMAMBA_SERVER_SOCKET_HOOKS_H_

namespace groupmamba {

// Whether the libraries' calls come through the hooks, as they do unless the
// program was linked so that its own functions are hidden from them.
bool SocketHooksWork();

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_SOCKET_HOOKS_H_
