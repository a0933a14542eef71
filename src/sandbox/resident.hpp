#pragma once

#include "sandbox/sandbox.hpp"

#include <memory>

namespace botburrow::sandbox {

/// A program that stays, such as an MCP server, as a net::Process that keeps its sandbox alive: it
/// may outlive the Place it was started in, and is dead from that Place's close() on.
std::unique_ptr<net::Process> make_resident(std::shared_ptr<Sandbox> sandbox,
                                            std::unique_ptr<SandboxedProcess> process);

}  // namespace botburrow::sandbox
