// See server/socket_hooks.cc.

#ifndef GROUPMAMBA_SERVER_SOCKET_HOOKS_H_
#define GROUPMAMBA_SERVER_SOCKET_HOOKS_H_

namespace groupmamba {

// Does nothing; who calls it has the hooks in the program.
void LinkSocketHooks();

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_SOCKET_HOOKS_H_
