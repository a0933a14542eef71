#pragma once

#include "base/json.hpp"
#include "tests/chaos/program/fleet.hpp"

#include <boost/json.hpp>

#include <cstdint>
#include <string>

namespace botburrow::chaos {

/// What the command line asks for.
struct Wish {
  std::string profile = "smoke", json_file, replay_file, keep;
  std::uint64_t seed = 1;
  int duration = 0;          ///< seconds; 0 = the profile's
  int stride = 0;            ///< see Sweep
  bool keep_always = false;  ///< logs and schedule also of a run in which all holds
  Programs programs;
};

/// Throws std::runtime_error that names what is wrong.
Wish wish_of(int count, char** words);

json::value read_json(const std::string& path);

}  // namespace botburrow::chaos
