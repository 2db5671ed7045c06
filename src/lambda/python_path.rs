//! What Python's bootstrap makes of `PYTHONPATH`. Only while it is unset (an empty one counts as
//! set) `bootstrap.py` adds the layers' directories to `sys.path`, and sets it to `/var/runtime`
//! for the function to see (the script, quoted in public; recorded by localstack's AWS-validated
//! snapshots, January 2026). A wrapper that sets it has to name them itself.

/// The variable.
pub const VARIABLE: &str = "PYTHONPATH";

/// The script that starts Python's client in managed functions and AWS's base images.
pub const BOOTSTRAP: &str = "/var/runtime/bootstrap.py";

/// A version of a managed Python, such as `3.12`.
pub struct Python<'r> {
    version: &'r str,
}

impl<'r> Python<'r> {
    /// Nothing, for the identifier of another runtime.
    pub fn from_identifier(identifier: &'r str) -> Option<Self> {
        let version = identifier.strip_prefix("python")?;
        version.starts_with("3.").then_some(Self { version })
    }

    /// The layers' directories that a value does not name, so that what layers have there is not
    /// found.
    pub fn missing_directories(&self, value: &str) -> Vec<String> {
        let is_named = |directory: &String| {
            value.split(':').any(|named| named.trim_end_matches('/') == directory)
        };
        self.of_layers().into_iter().filter(|directory| !is_named(directory)).collect()
    }

    /// A value with which everything is found that is found while it is unset, and behind what
    /// another one adds to that.
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

    fn of_layers(&self) -> [String; 2] {
        [format!("/opt/python/lib/python{}/site-packages", self.version), "/opt/python".into()]
    }
}
