#pragma once

namespace botburrow::test {

/// A TCP port of 127.0.0.1 that nobody listens on, below the range from which the kernel takes the
/// local ports of outgoing connections: a server that is restarted on it finds it free again.
int free_port();

}  // namespace botburrow::test
