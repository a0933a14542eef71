#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace botburrow::hub {

/// Copies the database of a Hub as it stands at one moment, while the Hub goes on reading and
/// writing it. `to` is made anew, readable by its owner only. Blocking. Throws Error{io} or
/// Error{bad_input} naming the file and the cure.
void copy_database(const std::string& from, const std::string& to);

/// The file that a database's name stands for: one for all names of it, links included. A name that
/// nothing stands behind yet is given back.
std::string real_path(const std::string& database);
/// Held by the Hub that works on the database. Beside the file itself: SQLite has locks of its own
/// on that.
std::string lock_path(const std::string& database);

/// The generation that the Hub of this database has come to; nothing where there is no such file,
/// or nothing of the kind can be read from it. Blocking.
std::optional<std::int64_t> find_generation(const std::string& path);

/// Makes a copy ready to take a Hub's place: checks that it is whole and readable by this program,
/// and moves its generation on by far more than there can have been since the copy was made, so
/// that no runner from before can still write (guarantee G10). `above`: the highest generation that
/// the system is known to have come to, which the copy need not know of: a second restore of one
/// backup must not give out the first one's generation again. Blocking. Throws Error{bad_input}.
void prepare_restored(const std::string& path, std::int64_t above);

}  // namespace botburrow::hub
