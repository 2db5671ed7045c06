//! Timestamps of log lines and events, as RFC 3339 writes them
//! (<https://www.rfc-editor.org/rfc/rfc3339>). No library: the calendar is all that it would be
//! used for.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The smallest unit of a timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    Milliseconds,
    Microseconds,
}

/// Formats a time in UTC, such as `2024-02-29T12:34:56.789Z`. A time before 1970 becomes
/// `1970-01-01T00:00:00.000Z`.
pub fn rfc3339(time: SystemTime, precision: Precision) -> String {
    let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let (days, seconds) = (since_epoch.as_secs() / 86_400, since_epoch.as_secs() % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let (fraction, digits) = match precision {
        Precision::Milliseconds => (since_epoch.subsec_millis(), 3),
        Precision::Microseconds => (since_epoch.subsec_micros(), 6),
    };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:0digits$}Z")
}

/// Returns year, month and day of a number of days since 1 January 1970.
///
/// Years begin in March here, so that a leap day is the last day of its year. An era is a cycle of
/// 400 years, which has 146,097 days. The algorithm is `civil_from_days` of Howard Hinnant,
/// "chrono-Compatible Low-Level Date Algorithms"
/// (<https://howardhinnant.github.io/date_algorithms.html>).
fn date(days: u64) -> (u64, u64, u64) {
    // From 1 March of the year 0.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let months_since_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * months_since_march + 2) / 5 + 1;
    let month =
        if months_since_march < 10 { months_since_march + 3 } else { months_since_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamp_has_the_date_in_utc_across_leap_years() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00.000007Z"),
            (951_782_399, "2000-02-28T23:59:59.000007Z"),
            (951_782_400, "2000-02-29T00:00:00.000007Z"),
            (1_709_210_096, "2024-02-29T12:34:56.000007Z"),
            (1_709_251_199, "2024-02-29T23:59:59.000007Z"),
            (1_735_689_599, "2024-12-31T23:59:59.000007Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000007Z"),
        ] {
            let time = UNIX_EPOCH + Duration::new(seconds, 7_000);
            assert_eq!(rfc3339(time, Precision::Microseconds), expected);
        }
    }

    #[test]
    fn timestamp_is_cut_to_its_precision() {
        let time = UNIX_EPOCH + Duration::new(1_709_210_096, 78_999_999);
        for (precision, expected) in [
            (Precision::Milliseconds, "2024-02-29T12:34:56.078Z"),
            (Precision::Microseconds, "2024-02-29T12:34:56.078999Z"),
        ] {
            assert_eq!(rfc3339(time, precision), expected);
        }
    }
}
