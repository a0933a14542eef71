#pragma once

#include "cli/verify/local.hpp"

#include <string>

namespace botburrow::cli::verify {

struct Cluster {
  std::string name_space;  ///< where the services are
  /// PATH and what kubectl reads besides (KUBECONFIG, HOME).
  std::vector<std::string> environment;
  std::string path = "/usr/local/bin:/usr/bin:/bin";
  bool destructive = false;  ///< also delete pods
};

/// What kubectl shows of the system as the manifests deploy it: A3 to A6, A10, A21, A23, A24, A51;
/// with `destructive` also A11, for which the leader's pod is deleted. Throws Error{not_found}
/// where there is no kubectl, Error{io} where it does not reach the cluster.
Task<> run_kubernetes(Cluster cluster, Outcomes& outcomes, Progress progress);

}  // namespace botburrow::cli::verify
