//! The parts of the help text that the tool and the layer's binary share.

pub const ABOUT: &str = "\
The exec wrapper for AWS Lambda: it injects options, arguments and environment from a declarative \
                         configuration, runs hook commands, and becomes the runtime.";

/// The command line of the wrapper.
pub const USAGE: &str = "foreword -- PROGRAM [ARGUMENT]...";

pub const SURROUNDINGS: &str = "\
Configuration, in this order, all that exist:
  /opt/foreword.d/*.json            drop-ins of layers (FOREWORD_DROPIN_DIR names another directory)
  $LAMBDA_TASK_ROOT/foreword.json   beside the function's code
  $FOREWORD_CONFIG                  a path, or the JSON itself

Environment:
  FOREWORD_LOG        off, error, warn, info (default), debug or trace
  FOREWORD_DISABLED   1 executes the program untouched

In a function, set AWS_LAMBDA_EXEC_WRAPPER=/opt/bin/foreword. To try a command line here:
  FOREWORD_CONFIG='{\"options\": {\"append\": [\"-X\", \"importtime\"]}}' foreword -- python3 -c \
                                pass
";
