//! On which days a task lies, as the tenant's calendar has them.
//!
//! Asana keeps either a day (`due_on`) or an instant (`due_at`); of the latter it also tells a day, but not by
//! whose zone. Days are compared here, never instants: they have no daylight saving time.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;

/// A day, or an instant that lies on one. Of both, the instant counts.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Told {
    pub(super) on: Option<NaiveDate>,
    pub(super) at: Option<DateTime<Utc>>,
}

/// From the first to the last day, both included.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Days {
    pub(super) start: Option<NaiveDate>,
    pub(super) due: Option<NaiveDate>,
}

impl Told {
    fn day(self, zone: Tz) -> Option<NaiveDate> {
        self.at.map(|at| at.with_timezone(&zone).date_naive()).or(self.on)
    }
}

/// The days of a task. One without a start lasts a day: that is how Asana is told of such a phase. One that
/// starts without being due, which Asana does not allow, is not planned at all.
pub(super) fn days(start: Told, due: Told, zone: Tz) -> Days {
    let due = due.day(zone);
    Days { start: start.day(zone).filter(|_| due.is_some()).or(due), due }
}

#[cfg(test)]
mod tests {
    use chrono_tz::{America::New_York, Europe::Berlin};

    use super::*;

    fn on(text: &str) -> Told {
        Told { on: Some(text.parse().unwrap()), at: None }
    }

    fn at(text: &str) -> Told {
        Told { at: Some(text.parse().unwrap()), on: None }
    }

    fn day(text: &str) -> Option<NaiveDate> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn a_date_without_a_time_is_the_same_day_in_every_zone() {
        for zone in [Berlin, New_York, Tz::Pacific__Kiritimati] {
            let days = days(on("2026-03-29"), on("2026-10-25"), zone);

            assert_eq!(days, Days { start: day("2026-03-29"), due: day("2026-10-25") }, "{zone}");
        }
    }

    #[test]
    fn an_instant_lies_on_the_day_of_the_tenants_zone_on_both_sides_of_a_change_of_the_clocks() {
        // Berlin is an hour ahead of UTC until 2026-03-29T01:00Z, and two hours until 2026-10-25T01:00Z.
        for (instant, lies_on) in [
            ("2026-03-28T22:59:59Z", "2026-03-28"),
            ("2026-03-28T23:00:00Z", "2026-03-29"),
            ("2026-03-29T21:59:59Z", "2026-03-29"),
            ("2026-03-29T22:00:00Z", "2026-03-30"),
            ("2026-10-24T22:00:00Z", "2026-10-25"),
            ("2026-10-25T22:59:59Z", "2026-10-25"),
            ("2026-10-25T23:00:00Z", "2026-10-26"),
        ] {
            assert_eq!(days(Told::default(), at(instant), Berlin).due, day(lies_on), "{instant}");
        }
        assert_eq!(days(Told::default(), at("2026-03-29T03:30:00Z"), New_York).due, day("2026-03-28"));
    }

    #[test]
    fn the_instant_counts_and_not_the_day_that_is_told_beside_it() {
        let due = Told { on: day("2026-06-01"), at: at("2026-06-01T22:30:00Z").at };

        assert_eq!(days(Told::default(), due, Berlin).due, day("2026-06-02"));
    }

    #[test]
    fn a_task_without_a_start_lasts_a_day() {
        let days = days(Told::default(), on("2026-06-01"), Berlin);

        assert_eq!(days, Days { start: day("2026-06-01"), due: day("2026-06-01") });
    }

    #[test]
    fn a_task_that_is_not_due_has_no_days() {
        assert_eq!(days(on("2026-06-01"), Told::default(), Berlin), Days::default());
    }
}
