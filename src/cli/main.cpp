#include "cli/app.hpp"

int main(int argc, char** argv) {
  return botburrow::cli::run(argc, argv);
}
