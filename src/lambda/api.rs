//! The calls of the Runtime API and the Extensions API: methods, paths and headers (AWS's
//! documentation, "Using the Lambda runtime API",
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>, and "Using the Lambda Extensions
//! API", <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html>). The calls
//! around a restore are those of AWS's runtime clients and of its emulator.

/// The type of an error that a runtime reports.
pub const FUNCTION_ERROR_TYPE: &str = "Lambda-Runtime-Function-Error-Type";
/// The identifier of an invocation, which comes with an event.
pub const REQUEST_ID: &str = "Lambda-Runtime-Aws-Request-Id";
/// What a runtime's client can do; it sends it with its first request.
pub const RUNTIME_FEATURES: &str = "Lambda-Runtime-Features";
/// The name of the file of an extension that registers.
pub const EXTENSION_NAME: &str = "Lambda-Extension-Name";
/// The identifier that an extension is given when it registers.
pub const EXTENSION_IDENTIFIER: &str = "Lambda-Extension-Identifier";
/// The type of an error that an extension reports.
pub const EXTENSION_ERROR_TYPE: &str = "Lambda-Extension-Function-Error-Type";

/// A call of the Runtime API or of the Extensions API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    RestoreNext,
    InvocationNext,
    InitError,
    RestoreError,
    ExtensionRegister,
    ExtensionNext,
    ExtensionInitError,
}

impl Call {
    pub const ALL: [Self; 7] = [
        Self::RestoreNext,
        Self::InvocationNext,
        Self::InitError,
        Self::RestoreError,
        Self::ExtensionRegister,
        Self::ExtensionNext,
        Self::ExtensionInitError,
    ];

    pub fn method(self) -> &'static str {
        match self {
            Self::RestoreNext | Self::InvocationNext | Self::ExtensionNext => "GET",
            Self::InitError
            | Self::RestoreError
            | Self::ExtensionRegister
            | Self::ExtensionInitError => "POST",
        }
    }

    pub fn path(self) -> &'static str {
        match self {
            Self::RestoreNext => "/2018-06-01/runtime/restore/next",
            Self::InvocationNext => "/2018-06-01/runtime/invocation/next",
            Self::InitError => "/2018-06-01/runtime/init/error",
            Self::RestoreError => "/2018-06-01/runtime/restore/error",
            Self::ExtensionRegister => "/2020-01-01/extension/register",
            Self::ExtensionNext => "/2020-01-01/extension/event/next",
            Self::ExtensionInitError => "/2020-01-01/extension/init/error",
        }
    }

    /// Finds the call that a request makes; `None` for another path or method.
    pub fn from_request(method: &str, target: &str) -> Option<Self> {
        let path = path_of(target);
        Self::ALL.into_iter().find(|call| call.method() == method && call.path() == path)
    }
}

/// Returns the path of a request target, which may name the host before it (absolute-form, RFC 9112,
/// section 3.2.2, <https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2>), without its query.
pub fn path_of(target: &str) -> &str {
    let path = match target.split_once("://") {
        Some((_, authority)) if !target.starts_with('/') => {
            authority.find('/').map_or("/", |start| &authority[start..])
        }
        _ => target,
    };
    path.split('?').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn call_of_any_form_of_target_is_found() {
        for (method, target, call) in [
            ("GET", "/2018-06-01/runtime/restore/next?x", Some(Call::RestoreNext)),
            ("GET", "http://host:1/2018-06-01/runtime/restore/next?x", Some(Call::RestoreNext)),
            ("GET", "/x://y/2018-06-01/runtime/restore/next", None),
            ("GET", "*", None),
            ("GET", "http://host", None),
            ("POST", "/2018-06-01/runtime/restore/next", None),
            ("GET", "/2018-06-01/runtime/invocation/nextone", None),
            ("POST", "/2018-06-01/runtime/init/error", Some(Call::InitError)),
            ("POST", "/2020-01-01/extension/register", Some(Call::ExtensionRegister)),
        ] {
            assert_eq!(Call::from_request(method, target), call, "{method} {target}");
        }
    }
}
