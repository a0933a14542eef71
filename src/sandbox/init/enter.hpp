#pragma once

namespace botburrow::sandbox::init {

/// `enter UID GID BASE {FOLDER NAME}... -- PROGRAM ARGUMENT...`: what a runner that is root does
/// before the sandbox. In a mount namespace of its own it shows each FOLDER at BASE/NAME, where
/// user UID can reach it whatever lies above; then it becomes that user, for good, and the program.
/// BASE `-` mounts nothing. Returns only when something failed, with a line on stderr.
int enter(int argc, char** argv);

}  // namespace botburrow::sandbox::init
