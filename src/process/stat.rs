//! Parses `/proc/PID/stat` (<https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html>).

/// Some fields of `/proc/PID/stat`.
pub struct Stat {
    /// Whether the process runs; a zombie does not.
    pub is_alive: bool,
    /// The parent's process id.
    #[cfg_attr(
        not(feature = "tool"),
        expect(dead_code, reason = "the tool looks for descendants")
    )]
    pub parent: i32,
    /// The process group.
    pub group: i32,
    /// The start time in clock ticks since boot. Process id and start time together identify a
    /// process: a process id alone may be reused.
    pub start_time: u64,
}

impl Stat {
    /// Parses the file's line. The second field, the command's name in parentheses, may hold any
    /// byte.
    pub fn parse(line: &[u8]) -> Option<Self> {
        let name_end = line.iter().rposition(|&byte| byte == b')')?;
        let mut fields =
            line[name_end + 1..].split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
        let is_alive = !matches!(fields.next()?, b"Z" | b"X");
        let mut number = || std::str::from_utf8(fields.next()?).ok()?.parse().ok();
        let (parent, group) = (number()?, number()?);
        // The start time is field 22; fields 3 to 5 have been taken.
        let start_time = std::str::from_utf8(fields.nth(16)?).ok()?.parse().ok()?;
        Some(Self { is_alive, parent, group, start_time })
    }
}
