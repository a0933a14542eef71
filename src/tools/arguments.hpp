#pragma once

#include <boost/json/value.hpp>

#include <string>
#include <string_view>

// Small parts that tools describe their arguments with.
namespace botburrow::tools {

boost::json::value text_property(std::string_view description);
boost::json::value number_property(std::string_view description);
boost::json::value flag_property(std::string_view description);
boost::json::value object_schema(boost::json::object properties, boost::json::array required);

/// A string argument, "" where it is absent.
std::string text_argument(const boost::json::value& arguments, std::string_view name);

}  // namespace botburrow::tools
