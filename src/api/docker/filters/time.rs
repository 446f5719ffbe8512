//! Moments as Docker's clients write them: a duration before now, a date and time, or Unix seconds.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::domain::{Error, Result};

/// Reads a moment.
///
/// In this order: a Go duration (`24h`, `1h30m`, `-5m`), which is subtracted from `now`; RFC 3339, of which the time, or
/// its minutes and seconds, or the offset may be left out (then it is UTC); Unix seconds with up to nine decimals. What
/// lies outside of the representable range becomes its end.
///
/// # Errors
/// `InvalidArgument`; the text begins with `failed to parse value as time or duration`.
pub fn parse_timestamp(text: &str, now: Timestamp) -> Result<Timestamp> {
    let refuse = |why: String| Error::invalid(format!("failed to parse value as time or duration: {why}"));
    if text.trim().is_empty() {
        return Err(refuse("value is empty".to_owned()));
    }
    // Zero is the beginning of Unix time, not a duration of nothing.
    if text != "0"
        && let Some(duration) = parse_duration(text)
    {
        return Ok(now.saturating_sub(duration).unwrap_or(now));
    }
    if let Some(timestamp) = parse_date_time(text) {
        return Ok(timestamp);
    }
    if text.contains('-') {
        return Err(refuse(format!("{text:?} is not a date and time as in RFC 3339")));
    }
    parse_unix(text).map_err(refuse)
}

/// Reads a moment that is given as Unix seconds with up to nine decimals, and in no other way.
///
/// # Errors
/// `InvalidArgument` with Docker's text: `invalid timestamp "10m": invalid seconds "10m": invalid syntax`.
pub fn parse_unix_timestamp(text: &str) -> Result<Timestamp> {
    parse_unix(text).map_err(|why| Error::invalid(format!("invalid timestamp {text:?}: {why}")))
}

/// A duration in Go's notation: a sign, then numbers with units. `None` for what is not one, and for one of more than
/// 292 years.
pub fn parse_duration(text: &str) -> Option<SignedDuration> {
    let (negative, mut rest) = match text.strip_prefix(['-', '+']) {
        Some(rest) => (text.starts_with('-'), rest),
        None => (false, text),
    };
    if rest == "0" {
        return Some(SignedDuration::ZERO);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(number);
        let unit = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(unit);
        total += parse_decimal(number)?.checked_mul(unit_nanos(unit)?)? / DECIMALS;
        if total > i128::from(i64::MAX) {
            return None;
        }
        rest = after;
    }
    let nanos = i64::try_from(total).ok()?;
    Some(SignedDuration::from_nanos(if negative { -nanos } else { nanos }))
}

/// Durations are counted in parts of 10^-15 of their unit, which is more than enough for whole nanoseconds of an hour.
const DECIMALS: i128 = 1_000_000_000_000_000;

fn parse_decimal(text: &str) -> Option<i128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(15);
    let fraction = digits.fold(0, |value: i128, digit| value * 10 + i128::from(digit - b'0'));
    Some(i128::from(whole) * DECIMALS + fraction)
}

fn unit_nanos(unit: &str) -> Option<i128> {
    Some(match unit {
        "ns" => 1,
        // The micro sign and the Greek letter mu.
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

fn parse_date_time(text: &str) -> Option<Timestamp> {
    let (date, rest) = text.split_at_checked(10)?;
    let date = parse_date(date)?;
    let (time, offset) = match rest.find(['Z', '+', '-']) {
        Some(at) => (&rest[..at], parse_offset(&rest[at..])?),
        None => (rest, SignedDuration::ZERO),
    };
    let time = match time.strip_prefix('T') {
        Some(time) => parse_time(time)?,
        None if time.is_empty() => Time::midnight(),
        None => return None,
    };
    let utc = TimeZone::UTC.to_timestamp(DateTime::from_parts(date, time)).ok()?;
    utc.checked_sub(offset).ok()
}

fn parse_date(text: &str) -> Option<Date> {
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || year.len() != 4 {
        return None;
    }
    let year = i16::try_from(number(year)?).ok()?;
    Date::new(year, two_digits(month)?, two_digits(day)?).ok()
}

fn parse_time(text: &str) -> Option<Time> {
    let mut parts = text.split(':');
    let hour = two_digits(parts.next()?)?;
    let minute = parts.next().map_or(Some(0), two_digits)?;
    let (second, nanos) = match parts.next() {
        None => (0, 0),
        Some(seconds) => match seconds.split_once('.') {
            Some((second, fraction)) => (two_digits(second)?, i32::try_from(parse_fraction(fraction)?).ok()?),
            None => (two_digits(seconds)?, 0),
        },
    };
    if parts.next().is_some() {
        return None;
    }
    Time::new(hour, minute, second, nanos).ok()
}

/// What the offset adds to UTC: `Z`, `+01:00`.
fn parse_offset(text: &str) -> Option<SignedDuration> {
    if text == "Z" {
        return Some(SignedDuration::ZERO);
    }
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let (hours, minutes) = (two_digits(hours)?, two_digits(minutes)?);
    if hours > 24 || minutes > 60 {
        return None;
    }
    let offset = SignedDuration::from_mins(i64::from(hours) * 60 + i64::from(minutes));
    Some(if text.starts_with('-') { -offset } else { offset })
}

fn parse_unix(text: &str) -> Result<Timestamp, String> {
    use std::num::IntErrorKind;
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let seconds: i64 = seconds.parse().map_err(|error: std::num::ParseIntError| {
        let why = match error.kind() {
            IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => "value out of range",
            _ => "invalid syntax",
        };
        format!("invalid seconds {seconds:?}: {why}")
    })?;
    let nanos = parse_fraction(fraction).ok_or_else(|| format!("invalid nanoseconds {fraction:?}: invalid syntax"))?;
    let last = if seconds < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Ok(Timestamp::new(seconds, i32::try_from(nanos).unwrap_or_default()).unwrap_or(last))
}

/// Nanoseconds of the decimals of a second; decimals beyond the ninth are dropped.
fn parse_fraction(text: &str) -> Option<u32> {
    let digits = text.get(..text.len().min(9))?;
    let shortfall = 9 - u32::try_from(digits.len()).ok()?;
    if !text.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    if digits.is_empty() { Some(0) } else { Some(number(digits)? * 10u32.pow(shortfall)) }
}

fn two_digits(text: &str) -> Option<i8> {
    if text.len() == 2 { i8::try_from(number(text)?).ok() } else { None }
}

/// Decimal digits and nothing else; in particular, no sign.
fn number(text: &str) -> Option<u32> {
    if text.bytes().all(|c| c.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn parse(text: &str) -> Result<Timestamp> {
        parse_timestamp(text, Timestamp::from_second(NOW).unwrap())
    }

    #[test]
    fn durations_count_back_from_now() {
        for (text, seconds) in [
            ("24h", 86_400.0),
            ("10m", 600.0),
            ("1h30m", 5_400.0),
            ("1.5h", 5_400.0),
            (".5s", 0.5),
            ("1.s", 1.0),
            ("-5m", -300.0),
            ("+5m", 300.0),
            ("1500ms", 1.5),
            ("1us", 0.000_001),
            ("1\u{b5}s1\u{3bc}s", 0.000_002),
            ("-0", 0.0),
        ] {
            let expected = Timestamp::from_second(NOW).unwrap() - SignedDuration::from_secs_f64(seconds);
            assert_eq!(parse(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn dates_and_times_are_utc_unless_they_say_otherwise() {
        for (text, expected) in [
            ("2026-01-02", "2026-01-02T00:00:00Z"),
            ("2026-01-02Z", "2026-01-02T00:00:00Z"),
            ("2026-01-02+01:00", "2026-01-01T23:00:00Z"),
            ("2026-01-02T03", "2026-01-02T03:00:00Z"),
            ("2026-01-02T03:04", "2026-01-02T03:04:00Z"),
            ("2026-01-02T03:04Z", "2026-01-02T03:04:00Z"),
            ("2026-01-02T03:04:05", "2026-01-02T03:04:05Z"),
            ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"),
            ("2026-01-02T03:04:05-07:30", "2026-01-02T10:34:05Z"),
            ("2026-01-02T03:04:05.25+01:00", "2026-01-02T02:04:05.25Z"),
            ("2026-01-02T03:04:05.123456789Z", "2026-01-02T03:04:05.123456789Z"),
            ("2100-01-01T00:00:00Z", "2100-01-01T00:00:00Z"),
        ] {
            assert_eq!(parse(text).unwrap(), expected.parse().unwrap(), "{text}");
        }
    }

    #[test]
    fn unix_seconds_may_have_decimals() {
        for (text, seconds, nanos) in [
            ("0", 0, 0),
            ("1136073600", 1_136_073_600, 0),
            ("1136073600.000000001", 1_136_073_600, 1),
            ("1136073600.5", 1_136_073_600, 500_000_000),
            ("1136073600.0000000019", 1_136_073_600, 1),
            ("1136073600.", 1_136_073_600, 0),
        ] {
            assert_eq!(parse(text).unwrap(), Timestamp::new(seconds, nanos).unwrap(), "{text}");
        }
        assert_eq!(parse("999999999999999").unwrap(), Timestamp::MAX);
    }

    #[test]
    fn some_places_take_unix_seconds_only() {
        assert_eq!(parse_unix_timestamp("20.5").unwrap(), Timestamp::new(20, 500_000_000).unwrap());
        for text in ["10m", "2020-01-01T00:00:00Z", ""] {
            let error = parse_unix_timestamp(text).unwrap_err();
            let expected = format!("invalid timestamp {text:?}: invalid seconds {text:?}: invalid syntax");
            assert_eq!(error.public(), expected);
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        let refusal = |text: &str| parse(text).expect_err(text).public().to_owned();
        let start = "failed to parse value as time or duration: ";
        assert_eq!(refusal("whenever"), format!("{start}invalid seconds \"whenever\": invalid syntax"));
        assert_eq!(
            refusal("99999999999999999999"),
            format!("{start}invalid seconds \"99999999999999999999\": value out of range")
        );
        assert_eq!(refusal("1.x"), format!("{start}invalid nanoseconds \"x\": invalid syntax"));
        for text in [
            "",
            " ",
            "h",
            "1d",
            "1hh",
            "1..5h",
            ".h",
            "2013-13-01",
            "2013-02-30",
            "2013-1-1",
            "2013-01-01T25:00:00Z",
            "2013-01-01T00:00:00z",
            "2013-01-01 00:00:00",
            "2013-01-01T00:00:00+1",
            "2013-01-01T00:00:0é",
            "1.é2345678é",
            "9223372036854775808h",
            "99999999999h",
            "+-5m",
            "é",
            "2013-01-01T",
            "2013-01-01T00:00:00:00",
        ] {
            assert!(refusal(text).starts_with(start), "{text}");
        }
    }
}
