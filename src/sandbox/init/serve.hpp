#pragma once

namespace botburrow::sandbox::init {

class Keeper;

/// Takes commands of the runner until its end of the control socket closes; one command at a time.
/// With a keeper there are no namespaces around us: it keeps the commands in. `bridged`: we were
/// started with a bridge's descriptor. Returns an exit code.
int serve(Keeper* keeper, bool bridged);

}  // namespace botburrow::sandbox::init
