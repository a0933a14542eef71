#include "mcp/json_schema.hpp"

#include "mcp/schema_validator.hpp"

namespace botburrow::mcp {

std::optional<std::string> schema_fault(const json::value& schema, const json::value& value) {
  return SchemaValidator(schema).check_all(value);
}

}  // namespace botburrow::mcp
