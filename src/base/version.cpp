#include "base/version.hpp"

namespace botburrow {

std::string_view version() {
  return BOTBURROW_VERSION;
}
std::string_view commit() {
  return BOTBURROW_COMMIT;
}

}  // namespace botburrow
