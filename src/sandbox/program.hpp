#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace botburrow::sandbox {

/// A program of this machine, and what a sandbox must show beside the system for it to run.
struct LocatedProgram {
  std::string path;  ///< absolute, the same inside
  std::vector<std::string> read_only;
};

/// Finds a program by an absolute path, or by its name in `path`; nothing where it is not there. A
/// program that is no part of the system is shown alone, by the file that links lead to (one of
/// Node's packages with the `node_modules` it lies in); what else it needs stands in `folders`,
/// which are shown too.
std::optional<LocatedProgram> locate_program(const std::string& name, const std::string& path,
                                             const std::vector<std::string>& folders);

/// Whether a sandbox made for the program shows the file of that path as well: it is part of the
/// system, or lies in what is shown for the program.
bool shows(const LocatedProgram& program, const std::string& path);

/// All that a program in a sandbox finds in its environment, as NAME=VALUE: where programs and its
/// home are, the proxy, and what is its `own`, which goes first. Nothing of the runner's.
std::vector<std::string> program_environment(const std::string& home,
                                             const std::map<std::string, std::string>& own);

}  // namespace botburrow::sandbox
