//! What may be written to a task, and what is not even sent.

use super::*;

/// Trap 22.
#[test]
fn a_start_is_never_written_without_its_due_date() {
    let (monday, friday) = (day("2026-12-07"), day("2026-12-11"));

    assert_eq!(NewDates::days(Some(monday), None), Err(UnfitDates::StartWithoutDue));
    assert_eq!(NewDates::days(Some(friday), Some(monday)), Err(UnfitDates::StartAfterDue));
    let whole = NewDates { start: NewStart::On(monday), due: NewDue::On(friday) };
    assert_eq!(NewDates::days(Some(monday), Some(friday)), Ok(whole));
    let none = NewDates { start: NewStart::Clear, due: NewDue::Clear };
    assert_eq!(NewDates::days(None, None), Ok(none));
}

#[tokio::test]
async fn a_single_day_is_written_as_a_due_date_and_read_as_both() {
    let monday = day("2026-12-07");
    let single = NewDates { start: NewStart::Clear, due: NewDue::On(monday) };

    let read = task(json!({ "gid": "1", "start_on": null, "due_on": "2026-12-07" })).await;

    assert_eq!(NewDates::days(Some(monday), Some(monday)), Ok(single));
    assert_eq!(NewDates::days(None, Some(monday)), Ok(single));
    let zone = chrono_tz::Europe::Berlin;
    assert_eq!((read.start_date(zone), read.due_date(zone)), (Some(monday), Some(monday)));
}

#[tokio::test]
async fn a_time_of_day_is_kept_and_a_milestone_gets_no_start() {
    let double = Double::answering([data(json!({ "gid": "1" })), data(json!({ "gid": "1" }))]).await;
    let timed =
        NewDates { start: NewStart::On(day("2026-12-07")), due: NewDue::At(at("2026-12-11T15:30:00Z")) };
    let milestone = NewDates { start: NewStart::Keep, due: NewDue::On(day("2026-12-11")) };

    for dates in [timed, milestone] {
        let change = TaskChange { dates: Some(dates), fields: vec![] };
        double.asana().update_task("1", &change).await.unwrap();
    }

    let bodies: Vec<Value> =
        double.asked().iter().map(|asked| serde_json::from_slice(&asked.body).unwrap()).collect();
    assert_eq!(
        bodies,
        [
            json!({ "data": { "start_on": "2026-12-07", "due_at": "2026-12-11T15:30:00.000Z" } }),
            json!({ "data": { "due_on": "2026-12-11" } }),
        ]
    );
}

#[tokio::test]
async fn a_change_of_nothing_is_not_sent() {
    let double = Double::answering([]).await;

    let outcome = double.asana().update_task("1", &TaskChange::default()).await;

    assert_eq!(outcome.unwrap_err(), CallError::Refused(Refusal::Invalid));
    assert!(double.asked().is_empty());
}

/// DST and date-only fields: a due time is a day where the tenant is, on either side of the change.
#[tokio::test]
async fn a_due_time_is_a_day_in_the_tenants_zone() {
    let berlin = chrono_tz::Europe::Berlin;
    let cases = [
        // Midnight in Berlin is one hour earlier in winter than in summer.
        ("2026-10-24T22:00:00.000Z", "2026-10-25"),
        ("2026-10-25T22:30:00.000Z", "2026-10-25"),
        ("2026-10-25T23:00:00.000Z", "2026-10-26"),
        ("2027-03-27T23:00:00.000Z", "2027-03-28"),
        ("2027-03-28T22:00:00.000Z", "2027-03-29"),
    ];
    for (due_at, expected) in cases {
        // Asana localises `due_on` for whoever reads it.
        let read = task(json!({ "gid": "1", "due_at": due_at, "due_on": "2026-01-01" })).await;

        assert_eq!(read.due_date(berlin), Some(day(expected)), "{due_at}");
    }
    let read =
        task(json!({ "gid": "1", "start_at": "2026-10-24T22:00:00.000Z", "due_on": "2026-10-30" })).await;
    assert_eq!(read.start_date(berlin), Some(day("2026-10-25")));
    assert_eq!(read.due_date(berlin), Some(day("2026-10-30")));
}
