//! The families of Lambda's runtimes, and the variable in which Lambda names a function's runtime.

/// A family of Lambda runtimes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runtime {
    Python,
    Node,
    Java,
    Ruby,
    Dotnet,
    /// OS-only runtimes, and programs that are no interpreter known here.
    Provided,
}

impl Runtime {
    pub const ALL: [Runtime; 6] = [
        Runtime::Python,
        Runtime::Node,
        Runtime::Java,
        Runtime::Ruby,
        Runtime::Dotnet,
        Runtime::Provided,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Runtime::Python => "python",
            Runtime::Node => "node",
            Runtime::Java => "java",
            Runtime::Ruby => "ruby",
            Runtime::Dotnet => "dotnet",
            Runtime::Provided => "provided",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|runtime| runtime.name() == name)
    }

    /// The family of Lambda's identifier, such as `nodejs22.x`.
    pub fn from_identifier(identifier: &[u8]) -> Self {
        let family = |runtime: &Runtime| identifier.starts_with(runtime.name().as_bytes());
        Self::ALL.into_iter().find(family).unwrap_or(Runtime::Provided)
    }

    /// Whether a glob can only match identifiers of OS-only runtimes, which no function is told
    /// (`AWS_EXECUTION_ENV` is not set there): `provided.al2023`, `provided*`, `prov*`.
    pub fn is_only_provided(glob: &str) -> bool {
        let prefix = &glob[..glob.find(['*', '?', '[', '$']).unwrap_or(glob.len())];
        let is_cut = prefix.len() < glob.len();
        let may_be = |runtime: &Runtime| {
            let name = runtime.name();
            prefix.starts_with(name) || is_cut && name.starts_with(prefix)
        };
        Self::ALL.into_iter().filter(may_be).eq([Runtime::Provided])
    }
}

/// What `AWS_EXECUTION_ENV` has before the identifier of a runtime.
const PREFIX: &str = "AWS_Lambda_";

/// Returns the identifier of the function's runtime, from the value of `AWS_EXECUTION_ENV`:
/// `python3.12` of `AWS_Lambda_python3.12`.
///
/// OS-only runtimes have no such variable. A custom image has `AWS_Lambda_Image`, which names no
/// runtime (recorded on the service, 2022 and 2025), and so have some of AWS's base images
/// (<https://github.com/aws/aws-lambda-base-images/issues/15>).
pub fn identifier(execution_env: &[u8]) -> Option<&[u8]> {
    let identifier = execution_env.strip_prefix(PREFIX.as_bytes())?;
    Some(identifier).filter(|identifier| !identifier.is_empty() && *identifier != b"Image")
}

/// Returns the value that `AWS_EXECUTION_ENV` has on a runtime.
#[cfg(feature = "tool")]
pub fn execution_env(identifier: &str) -> String {
    [PREFIX, identifier].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_on_os_only_identifiers_is_told_from_the_others() {
        for glob in [
            "provided.al2023",
            "provided.al2",
            "provided*",
            "provided.*",
            "provide?.al2",
            "prov*",
            "provided.al[2]*",
        ] {
            assert!(Runtime::is_only_provided(glob), "{glob}");
        }
        for glob in [
            "python3.12",
            "p*",
            "*",
            "${X}",
            "java8.al2",
            "*.al2023",
            "ruby[34].*",
            "provider2",
            "prov2",
        ] {
            assert!(!Runtime::is_only_provided(glob), "{glob}");
        }
    }
}
