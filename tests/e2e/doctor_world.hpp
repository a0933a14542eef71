#pragma once

#include "services_world.hpp"

#include <gmock/gmock.h>

#include <string>
#include <vector>

namespace botburrow::e2e {

/// Doctor before real services: a fault is put in, and must be named, and nothing else.
class DoctorWorld : public ServicesWorld {
 protected:
  void SetUp() override;
  /// A coordinator and a runner; returns when both are ready and Redis shows it.
  void start_services(const std::string& mode = "hybrid", Variables of_runner = {});
  void await_ready(Program& service);

  /// `doctor --json` with the addresses of both, and what it finds.
  Ran doctor(Variables more = {}, Words words = {});
  static std::vector<std::string> faults_of(const Ran& ran);
  void expect_fault(const std::string& id, Variables more = {}, Words words = {});
  /// For a state that takes its time to be seen: asks again, for a minute.
  void await_fault(const std::string& id, Variables more = {}, Words words = {});
  void expect_all_well();
  /// Healed.
  void await_all_well();
  /// Doctor under a shell that does something before, e.g. sets a limit.
  Ran doctor_after(const std::string& commands);

  std::string nobody_listens();

  Program* coordinator_ = nullptr;
  Program* runner_ = nullptr;
};

}  // namespace botburrow::e2e
