//! `PYTHONPATH`, and how Python's bootstrap uses it. Only while the variable is unset (an empty one counts
//! as set), `bootstrap.py` adds the layers' directories to `sys.path` and sets the variable to
//! `/var/runtime`. A wrapper that sets the variable has to name these directories itself. Sources: the
//! script, quoted in public; localstack's AWS-validated snapshots, January 2026.

/// The variable.
pub const VARIABLE: &str = "PYTHONPATH";

/// The script that starts Python's client in managed functions and AWS's base images.
pub const BOOTSTRAP: &str = "/var/runtime/bootstrap.py";

/// A version of a managed Python, such as `3.12`.
pub struct Python<'r> {
    version: &'r str,
}

impl<'r> Python<'r> {
    /// Returns the version in an identifier; `None` for that of another runtime.
    pub fn from_identifier(identifier: &'r str) -> Option<Self> {
        let version = identifier.strip_prefix("python")?;
        version.starts_with("3.").then_some(Self { version })
    }

    /// Returns the layers' directories that a value does not name, so that Python does not find the layers'
    /// packages.
    pub fn missing_directories(&self, value: &str) -> Vec<String> {
        let is_named = |directory: &String| {
            value.split(':').any(|named| named.trim_end_matches('/') == directory)
        };
        self.of_layers().into_iter().filter(|directory| !is_named(directory)).collect()
    }

    /// Returns a value with which Python finds everything that it finds while the variable is unset. The
    /// directories that `value` adds come first.
    pub fn completed_value(&self, value: &str) -> String {
        let version = self.version;
        let mut all: Vec<String> = self.of_layers().into();
        let minor = version.trim_start_matches("3.").parse::<u32>().unwrap_or(0);
        if minor >= 11 {
            all.push(format!("/var/lang/lib/python{version}/site-packages"));
        }
        all.push("/var/runtime".into());
        let is_new = |named: &&str| {
            !named.is_empty() && !all.iter().any(|known| known == named.trim_end_matches('/'))
        };
        let own: Vec<&str> = value.split(':').filter(is_new).collect();
        own.into_iter().chain(all.iter().map(String::as_str)).collect::<Vec<_>>().join(":")
    }

    /// Returns the directories of layers' packages.
    fn of_layers(&self) -> [String; 2] {
        [format!("/opt/python/lib/python{}/site-packages", self.version), "/opt/python".into()]
    }
}
