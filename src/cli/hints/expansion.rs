//! Variables and paths in the notation of a shell or of Windows, which a configuration takes
//! literally.

/// Returns the hints about a string; a path can have more of these mistakes.
pub fn unexpanded_syntax(text: &str, is_path: bool) -> Vec<String> {
    let mut messages = Vec::new();
    if let Some(name) = bare(text) {
        messages.push(format!(
            "nothing expands ${name} here; write ${{{name}}}, or $${name} to keep it as it is"
        ));
    }
    if let Some(name) = between_percents(text) {
        messages.push(format!("nothing expands %{name}% here; write ${{{name}}}"));
    }
    if text.contains("$(") || text.contains('`') {
        messages.push(
            "nothing runs the command in $(…) or `…` here; let a hook export its output".into(),
        );
    }
    if is_windows(text) || is_path && text.contains('\\') {
        messages.push("this is a path of Windows; a function's paths are like /opt/bin/x".into());
    } else if is_path && (text == "~" || text.starts_with("~/")) {
        messages.push(
            "nothing expands ~ here, and a function has no home; write the whole path".into(),
        );
    }
    messages
}

/// Returns the name in a `$NAME`, in capitals as variables have it. `$LATEST` is a function version
/// of Lambda's, and `Outer$INNER` a class of Java's.
fn bare(text: &str) -> Option<&str> {
    let mut rest = text;
    let mut before = ' ';
    while let Some(at) = rest.find('$') {
        before = rest[..at].chars().next_back().unwrap_or(before);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            (rest, before) = (after, '$');
            continue;
        }
        let name = &rest[..name_length(rest)];
        let is_cut = rest[name.len()..].starts_with(|c: char| c.is_alphanumeric());
        if name.len() > 1 && !is_cut && name != "LATEST" && !before.is_alphanumeric() {
            return Some(name);
        }
        before = '$';
    }
    None
}

/// Returns the name in a `%NAME%`; two hexadecimal digits are a byte of a URL.
fn between_percents(text: &str) -> Option<&str> {
    let parts = text.split('%').skip(1);
    let is_closed = text.matches('%').count().saturating_sub(1);
    parts.take(is_closed).find(|part| part.len() > 2 && name_length(part) == part.len())
}

fn name_length(text: &str) -> usize {
    let is_part =
        |(at, c): (usize, char)| c == '_' || c.is_ascii_uppercase() || at > 0 && c.is_ascii_digit();
    text.char_indices().find(|&each| !is_part(each)).map_or(text.len(), |(at, _)| at)
}

/// Returns whether it begins with a drive. An escape such as `\t` in `"C:\temp"` has become a
/// control character.
fn is_windows(text: &str) -> bool {
    matches!(text.as_bytes(), [drive, b':', next, ..]
        if drive.is_ascii_alphabetic() && (*next == b'\\' || next.is_ascii_control()))
        || matches!(text.as_bytes(), [drive, b':', b'/', next, ..]
            if drive.is_ascii_alphabetic() && *next != b'/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_where_a_variable_was_meant() {
        for (text, name) in [
            ("$PATH", Some("PATH")),
            ("/opt:$PATH", Some("PATH")),
            ("${A}:$LD_LIBRARY_PATH/x", Some("LD_LIBRARY_PATH")),
            ("$$A $B2", Some("B2")),
            ("$$PATH", None),
            ("${PATH}", None),
            ("$LATEST", None),
            ("com.x.Outer$INNER", None),
            ("$Inner", None),
            ("^x$", None),
            ("$5", None),
            ("$path", None),
        ] {
            assert_eq!(bare(text), name, "{text}");
        }
        for (text, name) in [
            ("%PATH%;x", Some("PATH")),
            ("a%2F%AB%", None),
            ("100%", None),
            ("%APP_1%", Some("APP_1")),
            ("%PATH", None),
        ] {
            assert_eq!(between_percents(text), name, "{text}");
        }
    }

    #[test]
    fn paths_of_windows_are_known() {
        for text in ["C:\\opt", "c:/opt/x", "C:\temp", "D:\new"] {
            assert!(is_windows(text), "{text}");
        }
        for text in ["/opt", "a:b", "s://bucket", "http://x", "C:"] {
            assert!(!is_windows(text), "{text}");
        }
    }
}
