//! The line that says what a check without findings has looked at, so that its silence is not taken
//! for more.

use super::executables::CheckedPrograms;

pub fn line(configurations: usize, layers: usize, checked: &CheckedPrograms) -> String {
    let parts =
        [(configurations, "configuration"), (layers, "layer"), (checked.at.len(), "program")];
    let parts: Vec<_> = parts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, noun)| many(count, noun))
        .collect();
    let left = match checked.in_no_layer.len() {
        0 => String::new(),
        count => format!("; not looked at: {} in layers (--layer)", many(count, "program")),
    };
    format!("checked {}: no problems{left}\n", parts.join(", "))
}

fn many(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_looked_at_is_counted() {
        let name = |name: &str| name.to_owned();
        let mut checked = CheckedPrograms::default();
        assert_eq!(line(1, 0, &checked), "checked 1 configuration: no problems\n");
        checked.at.extend([name("a"), name("b")]);
        assert_eq!(line(0, 1, &checked), "checked 1 layer, 2 programs: no problems\n");
        checked.in_no_layer.insert(name("/opt/x"));
        let expected = "checked 2 configurations, 2 programs: no problems; not looked at: 1 \
                        program in layers (--layer)\n";
        assert_eq!(line(2, 0, &checked), expected);
    }
}
