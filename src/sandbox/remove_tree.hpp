#pragma once

#include <string>

namespace botburrow::sandbox {

/// Removes the folder `name` of the folder `parent`, whatever is in it: without following links,
/// with three descriptors however deep it is, and also where somebody took the right to look into
/// folders away. Nothing may change it meanwhile. True when it is gone, also when it was not there.
/// Blocks.
bool remove_tree(int parent, const std::string& name);

}  // namespace botburrow::sandbox
