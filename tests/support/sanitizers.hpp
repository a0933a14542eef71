#pragma once

namespace botburrow::test {

/// Built with ASan or TSan: memory is held back and shadowed, so that what a process takes says
/// little, and a program of the same build starts nowhere where memory has a limit.
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace botburrow::test
