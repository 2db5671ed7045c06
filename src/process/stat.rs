//! What `/proc/PID/stat` says of a process (proc_pid_stat(5)).

pub struct Stat {
    /// One that has ended does nothing any more, whoever still has to ask for its status.
    pub lives: bool,
    #[cfg_attr(
        not(feature = "tool"),
        expect(dead_code, reason = "the tool looks for descendants")
    )]
    pub parent: i32,
    pub group: i32,
    /// When it was started, in clock ticks since the machine was: with its number, that names a
    /// process for good.
    pub start_time: u64,
}

impl Stat {
    /// A name in brackets, which can hold anything, comes before state, parent and group.
    pub fn of(line: &[u8]) -> Option<Self> {
        let name_end = line.iter().rposition(|&byte| byte == b')')?;
        let mut fields =
            line[name_end + 1..].split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
        let lives = !matches!(fields.next()?, b"Z" | b"X");
        let mut number = || std::str::from_utf8(fields.next()?).ok()?.parse().ok();
        let (parent, group) = (number()?, number()?);
        // Field 22; the state is field 3.
        let start_time = std::str::from_utf8(fields.nth(16)?).ok()?.parse().ok()?;
        Some(Self { lives, parent, group, start_time })
    }
}
