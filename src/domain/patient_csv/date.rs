//! Birth dates as programs and people write them.

use chrono::{Datelike, NaiveDate};

use super::RowErrorCode;

/// Nobody alive was born earlier; a year before is a typing error or a program's "no date" (1753, 1800).
const FIRST_YEAR: i32 = 1880;

/// Reads `1980-04-03`, `3.4.1980`, `03.04.80`, `1980/04/03`, or `13/04/1980` where only one order makes a
/// date. A time of midnight behind it, as databases export it, is ignored.
pub(super) fn read(text: &str, today: NaiveDate) -> Result<NaiveDate, RowErrorCode> {
    let text = without_midnight(text);
    let mark = text.chars().find(|c| matches!(c, '-' | '.' | '/')).ok_or(RowErrorCode::InvalidDate)?;
    let parts: Vec<&str> = text.split(mark).map(str::trim).collect();
    let [a, b, c] = parts[..] else {
        return Err(RowErrorCode::InvalidDate);
    };

    let found = if a.len() == 4 && mark != '.' {
        date(year(a, today)?, b, c)
    } else if mark == '.' {
        closest_past(c, b, a, today)
    } else {
        either_order(a, b, c, today)
    }?;
    match found.year() >= FIRST_YEAR && found <= today {
        true => Ok(found),
        false => Err(RowErrorCode::DateOutOfRange),
    }
}

/// Slashes and dashes are used with the day first and with the month first. Only a day above 12, or a day
/// equal to the month, leaves one reading.
fn either_order(a: &str, b: &str, year: &str, today: NaiveDate) -> Result<NaiveDate, RowErrorCode> {
    match (number(a)?, number(b)?) {
        (day, month) if day > 12 || day == month => closest_past(year, b, a, today),
        (_, day) if day > 12 => closest_past(year, a, b, today),
        _ => Err(RowErrorCode::AmbiguousDate),
    }
}

/// A year of two digits is the latest one that makes a date which is not in the future.
fn closest_past(
    year_text: &str,
    month: &str,
    day: &str,
    today: NaiveDate,
) -> Result<NaiveDate, RowErrorCode> {
    let latest = year(year_text, today)?;
    let found = date(latest, month, day);
    if year_text.len() == 4 || found.is_ok_and(|found| found <= today) {
        return found;
    }
    date(latest - 100, month, day)
}

fn date(year: i32, month: &str, day: &str) -> Result<NaiveDate, RowErrorCode> {
    NaiveDate::from_ymd_opt(year, number(month)?, number(day)?).ok_or(RowErrorCode::InvalidDate)
}

fn year(text: &str, today: NaiveDate) -> Result<i32, RowErrorCode> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    let year = text.parse::<i32>().ok().filter(|_| digits).ok_or(RowErrorCode::InvalidDate)?;
    match text.len() {
        4 => Ok(year),
        2 => Ok(today.year() - today.year().rem_euclid(100) + year),
        _ => Err(RowErrorCode::InvalidDate),
    }
}

/// A day or month: one or two digits.
fn number(text: &str) -> Result<u32, RowErrorCode> {
    let fits = matches!(text.len(), 1 | 2) && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| fits).ok_or(RowErrorCode::InvalidDate)
}

fn without_midnight(text: &str) -> &str {
    match text.split_once([' ', 'T']) {
        Some((date, time)) if is_midnight(time) => date,
        _ => text,
    }
}

fn is_midnight(time: &str) -> bool {
    let time = time.strip_suffix('Z').unwrap_or(time);
    time.starts_with("00:00") && time.bytes().all(|b| matches!(b, b'0' | b':' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::RowErrorCode::*;
    use super::*;

    fn read_on(text: &str) -> Result<String, RowErrorCode> {
        read(text, NaiveDate::from_ymd_opt(2026, 2, 17).unwrap()).map(|date| date.to_string())
    }

    #[test]
    fn iso_and_german_dates_are_read() {
        for text in
            ["1980-04-03", "3.4.1980", "03.04.1980", "3. 4. 1980", "03.04.80", "1980/04/03", "1980-4-3"]
        {
            assert_eq!(read_on(text).as_deref(), Ok("1980-04-03"), "{text}");
        }
        assert_eq!(read_on("1980-04-03 00:00:00").as_deref(), Ok("1980-04-03"));
        assert_eq!(read_on("1980-04-03T00:00:00.000Z").as_deref(), Ok("1980-04-03"));
        assert_eq!(read_on("03.04.1980 00:00").as_deref(), Ok("1980-04-03"));
    }

    #[test]
    fn a_year_of_two_digits_is_the_latest_that_is_not_in_the_future() {
        assert_eq!(read_on("17.02.26").as_deref(), Ok("2026-02-17"));
        assert_eq!(read_on("18.02.26").as_deref(), Ok("1926-02-18"));
        assert_eq!(read_on("01.01.27").as_deref(), Ok("1927-01-01"));
        assert_eq!(read_on("29.02.24").as_deref(), Ok("2024-02-29"));
        assert_eq!(read_on("29.02.28").as_deref(), Ok("1928-02-29"));
        assert_eq!(read_on("29.02.23"), Err(InvalidDate));
    }

    #[test]
    fn slashes_are_read_only_where_one_order_makes_a_date() {
        for mark in ["/", "-"] {
            assert_eq!(read_on(&format!("13{mark}04{mark}1980")).as_deref(), Ok("1980-04-13"));
            assert_eq!(read_on(&format!("04{mark}13{mark}80")).as_deref(), Ok("1980-04-13"));
            assert_eq!(read_on(&format!("04{mark}04{mark}1980")).as_deref(), Ok("1980-04-04"));
            assert_eq!(read_on(&format!("03{mark}04{mark}1980")), Err(AmbiguousDate));
            assert_eq!(read_on(&format!("13{mark}14{mark}1980")), Err(InvalidDate));
        }
    }

    #[test]
    fn a_birth_lies_between_1880_and_today() {
        assert_eq!(read_on("01.01.1880").as_deref(), Ok("1880-01-01"));
        assert_eq!(read_on("31.12.1879"), Err(DateOutOfRange));
        assert_eq!(read_on("17.02.2026").as_deref(), Ok("2026-02-17"));
        assert_eq!(read_on("2026-02-18"), Err(DateOutOfRange));
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "31.02.1980",
            "0.1.1980",
            "1.13.1980",
            "1980",
            "3.4.",
            "3.4.980",
            "3.4.+980",
            "+3.4.1980",
            "3.4.1980.",
            "03.04-1980",
            "19800403",
            "unbekannt",
            "1980-04-03 12:30",
            "1980-04-03 00:00 x",
            "1980.04.03",
            "٣.٤.١٩٨٠",
            "003.04.1980",
            "--",
            "1980-00-01",
        ] {
            assert_eq!(read_on(text), Err(InvalidDate), "{text}");
        }
    }
}
