use chrono::TimeZone;
use proptest::prelude::*;

use super::*;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn time(hour: u32, minute: u32) -> NaiveTime {
    NaiveTime::from_hms_opt(hour, minute, 0).unwrap()
}

#[test]
fn every_five_minutes_is_counted_from_midnight() {
    let cadence = Cadence::EveryMinutes(5);

    assert_eq!(cadence.occurrence(at("2026-11-21T10:04:59Z")), at("2026-11-21T10:00:00Z"));
    assert_eq!(cadence.occurrence(at("2026-11-21T10:05:00Z")), at("2026-11-21T10:05:00Z"));
}

#[test]
fn before_its_time_a_day_has_yesterdays_occurrence() {
    let cadence = Cadence::Daily(time(3, 30));

    assert_eq!(cadence.occurrence(at("2026-11-21T03:29:59Z")), at("2026-11-20T03:30:00Z"));
    assert_eq!(cadence.occurrence(at("2026-11-21T03:30:00Z")), at("2026-11-21T03:30:00Z"));
    assert_eq!(cadence.occurrence(at("2026-11-21T23:59:59Z")), at("2026-11-21T03:30:00Z"));
}

#[test]
fn a_week_turns_on_its_day_at_its_time() {
    let cadence = Cadence::Weekly(Weekday::Sun, time(3, 0));

    // The 22nd of November 2026 is a Sunday.
    assert_eq!(cadence.occurrence(at("2026-11-21T12:00:00Z")), at("2026-11-15T03:00:00Z"));
    assert_eq!(cadence.occurrence(at("2026-11-22T02:59:59Z")), at("2026-11-15T03:00:00Z"));
    assert_eq!(cadence.occurrence(at("2026-11-22T03:00:00Z")), at("2026-11-22T03:00:00Z"));
}

#[test]
fn every_schedule_has_a_name_of_its_own() {
    let mut names: Vec<_> = schedules().iter().map(|schedule| schedule.name).collect();
    let count = names.len();

    names.sort_unstable();
    names.dedup();

    assert_eq!(names.len(), count);
}

fn cadences() -> impl Strategy<Value = (Cadence, TimeDelta)> {
    prop_oneof![
        prop::sample::select(vec![1, 5, 15, 60])
            .prop_map(|minutes| (Cadence::EveryMinutes(minutes), TimeDelta::minutes(minutes))),
        (0..24u32, 0..60u32)
            .prop_map(|(hour, minute)| (Cadence::Daily(time(hour, minute)), TimeDelta::days(1))),
        (0..7u8, 0..24u32).prop_map(|(day, hour)| {
            (Cadence::Weekly(Weekday::try_from(day).unwrap(), time(hour, 0)), TimeDelta::days(7))
        }),
    ]
}

proptest! {
    #[test]
    fn an_occurrence_is_never_ahead_nor_older_than_its_period(
        (cadence, period) in cadences(), seconds in 1_700_000_000i64..1_900_000_000,
    ) {
        let now = Utc.timestamp_opt(seconds, 0).unwrap();

        let occurrence = cadence.occurrence(now);

        prop_assert!(occurrence <= now && now - occurrence < period);
        prop_assert_eq!(cadence.occurrence(occurrence), occurrence);
    }
}
