//! Variables that Lambda treats in a way of its own.

/// What no function's own configuration can set (AWS's documentation, "Defined runtime environment
/// variables").
const RESERVED: &str = "AWS_ACCESS_KEY AWS_ACCESS_KEY_ID AWS_DEFAULT_REGION AWS_EXECUTION_ENV \
     AWS_LAMBDA_FUNCTION_MEMORY_SIZE AWS_LAMBDA_FUNCTION_NAME AWS_LAMBDA_FUNCTION_VERSION \
     AWS_LAMBDA_INITIALIZATION_TYPE AWS_LAMBDA_LOG_FORMAT AWS_LAMBDA_LOG_GROUP_NAME \
     AWS_LAMBDA_LOG_LEVEL AWS_LAMBDA_LOG_STREAM_NAME AWS_LAMBDA_MAX_CONCURRENCY \
     AWS_LAMBDA_METADATA_API AWS_LAMBDA_METADATA_TOKEN AWS_LAMBDA_RUNTIME_API AWS_REGION \
     AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN LAMBDA_RUNTIME_DIR LAMBDA_TASK_ROOT";

/// Whether a function's own configuration cannot set a variable. Names that begin with `_` are
/// dropped (AWS's published emulator).
pub fn is_reserved(name: &str) -> bool {
    name.starts_with('_') || RESERVED.split(' ').any(|reserved| reserved == name)
}

/// The keys that a function has in its environment; the last two only java8.al2 and java11
/// (recorded by localstack's AWS-validated snapshots, January 2026).
pub const CREDENTIALS: [&str; 5] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_ACCESS_KEY",
    "AWS_SECRET_KEY",
];

/// What a function has everywhere but at the init before a snapshot (AWS's published emulator;
/// AWS's documentation of SnapStart).
pub const ABSENT_AT_SNAP_START: [&str; 7] = [
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    CREDENTIALS[0],
    CREDENTIALS[1],
    CREDENTIALS[2],
    CREDENTIALS[3],
    CREDENTIALS[4],
];

/// What a text takes for empty, or a condition for unset, at the init before a snapshot.
pub fn is_absent_at_snap_start(name: &str) -> bool {
    ABSENT_AT_SNAP_START.contains(&name)
}

/// Whether an extension finds the variable, too, that the runtime is started with (AWS's published
/// emulator; AWS's documentation, "Lambda Extensions API").
pub fn is_for_extensions(name: &str) -> bool {
    const NOT: &str = "AWS_EXECUTION_ENV AWS_LAMBDA_LOG_GROUP_NAME AWS_LAMBDA_LOG_STREAM_NAME \
                       LAMBDA_RUNTIME_DIR LAMBDA_TASK_ROOT";
    !name.starts_with('_')
        && !name.strip_prefix("AWS_").is_some_and(|rest| rest.starts_with("XRAY_"))
        && NOT.split(' ').all(|not| not != name)
}
