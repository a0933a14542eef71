#pragma once

namespace botburrow::sandbox::init {

class Keeper;

/// Where programs in the sandbox reach the proxy: 127.0.0.1 and this port.
inline constexpr int kBridgePort = 3128;

/// Listens on 127.0.0.1 at `port`, 0 for any; negative when that cannot be.
int open_bridge(int port);
/// Where it listens.
int port_of(int listener);

/// Takes one connection and hands it to the runner through the bridge's descriptor. With a keeper
/// only one that it has made.
void pass_connection_on(int listener, Keeper* keeper);

}  // namespace botburrow::sandbox::init
