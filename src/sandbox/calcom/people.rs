//! Hosts: who they are and when they work.

use chrono::{DateTime, Datelike as _, Days, NaiveDate, Offset as _, TimeDelta, TimeZone as _, Utc, Weekday};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

const MINUTES_PER_DAY: u32 = 24 * 60;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct User {
    pub id: i64,
    pub name: String,
    pub email: String,
    pub username: String,
    pub time_zone: Tz,
    /// Of webhooks' `language.locale`.
    pub locale: String,
    pub hours: Vec<Hours>,
    /// The key made with the user; [`super::Calcom::add_key`] makes more.
    pub api_key: String,
}

/// Working hours in the user's own time zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    pub days: Vec<Weekday>,
    /// Minutes after midnight.
    pub from_minute: u32,
    /// Minutes after midnight, at most 1440.
    pub to_minute: u32,
}

pub(crate) type Span = (DateTime<Utc>, DateTime<Utc>);

const WEEK: [Weekday; 7] =
    [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri, Weekday::Sat, Weekday::Sun];

impl Hours {
    pub fn always() -> Vec<Self> {
        vec![Self { days: WEEK.to_vec(), from_minute: 0, to_minute: MINUTES_PER_DAY }]
    }

    /// Monday to Friday, from one full hour to another.
    pub fn weekdays(from_hour: u32, to_hour: u32) -> Vec<Self> {
        let days = WEEK.iter().copied().take(5).collect();
        vec![Self { days, from_minute: from_hour * 60, to_minute: to_hour * 60 }]
    }

    fn on(&self, date: NaiveDate, zone: Tz) -> Option<Span> {
        if !self.days.contains(&date.weekday()) || self.from_minute >= self.to_minute {
            return None;
        }
        let to_minute = self.to_minute.min(MINUTES_PER_DAY);
        Some((moment(date, self.from_minute, zone)?, moment(date, to_minute, zone)?))
    }
}

impl User {
    /// The working hours of one local day, earliest first.
    pub(crate) fn open_on(&self, date: NaiveDate) -> Vec<Span> {
        let mut spans: Vec<Span> =
            self.hours.iter().filter_map(|hours| hours.on(date, self.time_zone)).collect();
        spans.sort_unstable();
        spans
    }

    /// Whether the user works all the time between; hours up to midnight go on with the next day's.
    pub(crate) fn works(&self, start: DateTime<Utc>, end: DateTime<Utc>) -> bool {
        let first = start.with_timezone(&self.time_zone).date_naive();
        let last = end.with_timezone(&self.time_zone).date_naive();
        let mut reached = start;
        let days = first.iter_days().take_while(|date| *date <= last);
        for (from, to) in days.flat_map(|date| self.open_on(date)) {
            if from <= reached && reached < to {
                reached = to;
            }
        }
        reached >= end
    }
}

/// Minutes ahead of UTC at that moment.
pub(crate) fn utc_offset_minutes(zone: Tz, at: DateTime<Utc>) -> i64 {
    i64::from(zone.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc()) / 60
}

/// A local time as an instant: the earlier one where clocks are set back, an hour later where they skip it.
fn moment(date: NaiveDate, minute: u32, zone: Tz) -> Option<DateTime<Utc>> {
    let (date, minute) =
        if minute == MINUTES_PER_DAY { (date.checked_add_days(Days::new(1))?, 0) } else { (date, minute) };
    let local = date.and_hms_opt(minute / 60, minute % 60, 0)?;
    let found = zone.from_local_datetime(&local).earliest();
    let found = found.or_else(|| zone.from_local_datetime(&(local + TimeDelta::hours(1))).earliest());
    found.map(|moment| moment.to_utc())
}
