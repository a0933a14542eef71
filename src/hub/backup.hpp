#pragma once

#include <string>

namespace botburrow::hub {

/// Copies the database of a Hub as it stands at one moment, while the Hub goes on reading and
/// writing it. `to` is made anew, readable by its owner only. Blocking. Throws Error{io} or
/// Error{bad_input} naming the file and the cure.
void copy_database(const std::string& from, const std::string& to);

/// Makes a copy ready to take a Hub's place: checks that it is whole and readable by this program,
/// and moves its generation on by far more than there can have been since the copy was made, so
/// that no runner from before can still write (guarantee G10). Blocking. Throws Error{bad_input}.
void prepare_restored(const std::string& path);

}  // namespace botburrow::hub
