#pragma once

#include "sandbox/sandbox.hpp"

#include <memory>
#include <string>
#include <vector>

namespace botburrow::sandbox {

/// A program that stays, such as an MCP server, as a net::Process that keeps its sandbox alive: it
/// may outlive the Place it was started in, and is dead from that Place's close() on.
std::unique_ptr<net::Process> make_resident(std::shared_ptr<Sandbox> sandbox,
                                            std::unique_ptr<SandboxedProcess> process);

/// The folders that must be shown read-only so that a program outside of the system's own ones can
/// run: of the path as it is given and of what it links to, the folder that holds `node_modules`
/// where there is one, else the one it lies in. Nothing for a program below /usr, /bin, /sbin and
/// /lib, which every sandbox has, and nothing for what is not there.
std::vector<std::string> folders_of_program(const std::string& absolute_path);

}  // namespace botburrow::sandbox
