use chrono::NaiveDate;
use proptest::prelude::*;
use rust_decimal::Decimal;

use super::*;
use crate::words::Area;

fn day(day: u32) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(2026, 3, day)
}

/// Minutes after an epoch of the tests' own.
fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::minutes(minutes)
}

fn phase(start_date: Option<NaiveDate>, due_date: Option<NaiveDate>) -> PhaseFields {
    PhaseFields { start_date, due_date, planned_hours: Some(Decimal::new(40, 0)), area: Some(Area::Assembly) }
}

/// The times of every field that differs from the base.
fn changed(base: &PhaseFields, side: &PhaseFields, time: DateTime<Utc>) -> PhaseChangeTimes {
    let mut times = PhaseChangeTimes::default();
    for field in PhaseField::ALL {
        times.set(*field, Some(time).filter(|_| side.get(*field) != base.get(*field)));
    }
    times
}

fn merged(
    base: &PhaseFields,
    ours: (&PhaseFields, DateTime<Utc>),
    theirs: (&PhaseFields, DateTime<Utc>),
) -> Merged {
    let their_side = Theirs {
        fields: theirs.0.clone(),
        changed: changed(base, theirs.0, theirs.1),
        update_time: at(10_000),
    };
    merge(&base.clone().into(), ours.0, &changed(base, ours.0, ours.1), &their_side)
}

fn fields() -> impl Strategy<Value = PhaseFields> {
    let date =
        || prop::option::weighted(0.8, (1_u32..6).prop_map(|d| NaiveDate::from_ymd_opt(2026, 3, d).unwrap()));
    let hours = prop::option::of((0_i64..4).prop_map(|units| Decimal::new(units * 25, 2)));
    let area = prop::option::of(prop::sample::select(Area::ALL));
    (date(), date(), hours, area)
        .prop_map(|(start_date, due_date, planned_hours, area)| {
            PhaseFields { start_date, due_date, planned_hours, area }.normalize(Some(2))
        })
        .prop_filter("dates that the tool can hold", PhaseFields::has_possible_dates)
}

proptest! {
    #[test]
    fn where_one_side_alone_has_changed_its_value_stands(
        base in fields(), side in fields(), minute in 0..9_i64,
    ) {
        let theirs_alone = merged(&base, (&base, at(0)), (&side, at(minute)));
        let ours_alone = merged(&base, (&side, at(minute)), (&base, at(0)));

        prop_assert_eq!((&theirs_alone.fields, theirs_alone.is_to_be_written()), (&side, false));
        prop_assert_eq!((&ours_alone.fields, ours_alone.is_to_be_written()), (&side, side != base));
        prop_assert_eq!((theirs_alone.clashes, ours_alone.clashes), (vec![], vec![]));
    }

    #[test]
    fn no_change_is_lost_without_a_trace(
        base in fields(), ours in fields(), theirs in fields(),
        our_minute in 0..9_i64, their_minute in 0..9_i64,
    ) {
        let merged = merged(&base, (&ours, at(our_minute)), (&theirs, at(their_minute)));

        for field in PhaseField::ALL.iter().copied() {
            let stands = merged.fields.get(field);
            let clash = merged.clashes.iter().find(|clash| clash.field == field);
            for side in [ours.get(field), theirs.get(field)] {
                let is_lost = side != base.get(field) && side != stands;
                prop_assert!(!is_lost || clash.is_some(), "{} {:?}", field, side);
            }
            if let Some(clash) = clash {
                let wins = if clash.winner == Side::Ours { clash.ours } else { clash.theirs };
                let expected = (ours.get(field), theirs.get(field), stands);
                prop_assert_eq!((clash.ours, clash.theirs, wins), expected);
            }
        }
    }

    #[test]
    fn what_was_decided_once_is_not_decided_again(
        base in fields(), ours in fields(), theirs in fields(),
        our_minute in 0..9_i64, their_minute in 0..9_i64,
    ) {
        let first = merged(&base, (&ours, at(our_minute)), (&theirs, at(their_minute)));
        let unchanged = Theirs {
            changed: changed(&base, &theirs, at(their_minute)),
            fields: theirs,
            update_time: at(10_000),
        };

        let second = merge(&first.base, &first.fields, &first.changed, &unchanged);

        prop_assert_eq!(second, Merged { clashes: vec![], ..first });
    }

    #[test]
    fn the_outcome_can_be_written_whenever_both_sides_could(
        base in fields(), ours in fields(), theirs in fields(),
        our_minute in 0..9_i64, their_minute in 0..9_i64,
    ) {
        let merged = merged(&base, (&ours, at(our_minute)), (&theirs, at(their_minute)));

        prop_assert!(merged.fields.has_possible_dates(), "{:?}", merged.fields);
    }

    #[test]
    fn a_field_that_is_to_be_written_knows_when_it_was_changed_and_no_other_does(
        base in fields(), ours in fields(), theirs in fields(),
        our_minute in 0..9_i64, their_minute in 0..9_i64,
    ) {
        let merged = merged(&base, (&ours, at(our_minute)), (&theirs, at(their_minute)));

        for field in PhaseField::ALL.iter().copied() {
            let differs = merged.fields.get(field) != PhaseFields::from(merged.base.clone()).get(field);
            prop_assert_eq!(merged.changed.get(field).is_some(), differs, "{}", field);
        }
    }

    #[test]
    fn once_written_both_sides_agree(
        base in fields(), ours in fields(), theirs in fields(),
        our_minute in 0..9_i64, their_minute in 0..9_i64,
    ) {
        let first = merged(&base, (&ours, at(our_minute)), (&theirs, at(their_minute)));
        let written = Theirs {
            fields: first.fields.clone(),
            changed: PhaseChangeTimes::default(),
            update_time: at(10_000),
        };

        let echo = merge(&first.base, &first.fields, &first.changed, &written);

        prop_assert_eq!((&echo.fields, &echo.clashes), (&first.fields, &vec![]));
        prop_assert!(!echo.is_to_be_written());
    }
}

#[test]
fn the_later_of_two_changes_of_a_field_prevails() {
    let base = phase(day(2), day(6));
    let (ours, theirs) = (phase(day(2), day(9)), phase(day(2), day(13)));

    let we_were_later = merged(&base, (&ours, at(5)), (&theirs, at(3)));
    let they_were_later = merged(&base, (&ours, at(3)), (&theirs, at(5)));

    assert_eq!((we_were_later.fields.due_date, we_were_later.is_to_be_written()), (day(9), true));
    assert_eq!((they_were_later.fields.due_date, they_were_later.is_to_be_written()), (day(13), false));
    let decided =
        |merged: &Merged| merged.clashes.iter().map(|c| (c.field, c.winner, c.reason)).collect::<Vec<_>>();
    assert_eq!(decided(&we_were_later), [(PhaseField::DueDate, Side::Ours, ConflictReason::Newer)]);
    assert_eq!(decided(&they_were_later), [(PhaseField::DueDate, Side::Theirs, ConflictReason::Newer)]);
}

#[test]
fn changes_of_different_fields_are_both_kept() {
    let base = phase(day(2), day(6));
    let ours = PhaseFields { planned_hours: Some(Decimal::new(55, 1)), ..base.clone() };
    let theirs = PhaseFields { area: Some(Area::Production), ..base.clone() };

    let merged = merged(&base, (&ours, at(1)), (&theirs, at(9)));

    assert_eq!(merged.fields, PhaseFields { area: theirs.area, ..ours });
    assert_eq!(merged.clashes, []);
    assert_eq!(PhaseFields::from(merged.base), theirs);
}

#[test]
fn at_the_same_time_the_tools_value_stands() {
    let base = phase(day(2), day(6));
    let (ours, theirs) = (phase(day(2), day(9)), phase(day(2), day(13)));

    let merged = merged(&base, (&ours, at(5) + TimeDelta::milliseconds(900)), (&theirs, at(5)));

    assert_eq!(merged.fields.due_date, day(13));
    assert_eq!(
        (merged.clashes[0].winner, merged.clashes[0].reason),
        (Side::Theirs, ConflictReason::SameTime)
    );
}

#[test]
fn without_an_event_the_tasks_own_time_decides() {
    let base = phase(day(2), day(6));
    let (ours, theirs) = (phase(day(2), day(9)), phase(day(2), day(13)));
    let seen =
        |update_time| Theirs { fields: theirs.clone(), changed: PhaseChangeTimes::default(), update_time };
    let ours_changed = changed(&base, &ours, at(5));

    let before = merge(&base.clone().into(), &ours, &ours_changed, &seen(at(4)));
    let after = merge(&base.clone().into(), &ours, &ours_changed, &seen(at(6)));

    assert_eq!((before.fields.due_date, after.fields.due_date), (day(9), day(13)));
}

#[test]
fn a_later_comment_does_not_outdate_a_change_here_when_an_event_tells_the_fields_time() {
    let base = phase(day(2), day(6));
    let (ours, theirs) = (phase(day(2), day(9)), phase(day(2), day(13)));
    let seen = Theirs { changed: changed(&base, &theirs, at(3)), fields: theirs, update_time: at(60) };

    let merged = merge(&base.clone().into(), &ours, &changed(&base, &ours, at(5)), &seen);

    assert_eq!(merged.fields.due_date, day(9));
}

#[test]
fn dates_that_do_not_fit_together_are_decided_together() {
    let base = phase(day(2), day(10));
    // Each of the two is possible alone; start on the 8th and due on the 5th is not.
    let (shortened_here, begun_later_there) = (phase(day(2), day(5)), phase(day(8), day(10)));

    let theirs_later = merged(&base, (&shortened_here, at(1)), (&begun_later_there, at(9)));
    let ours_later = merged(&base, (&shortened_here, at(9)), (&begun_later_there, at(1)));

    assert_eq!((theirs_later.fields.start_date, theirs_later.fields.due_date), (day(8), day(10)));
    assert_eq!((ours_later.fields.start_date, ours_later.fields.due_date), (day(2), day(5)));
    let decided = |merged: &Merged| merged.clashes.iter().map(|clash| clash.field).collect::<Vec<_>>();
    assert_eq!(decided(&theirs_later), [PhaseField::DueDate]);
    assert_eq!(decided(&ours_later), [PhaseField::StartDate]);
    assert!(ours_later.changed.start_date_change_time.is_some());
}

#[test]
fn a_value_put_back_to_what_it_was_is_no_change() {
    let base = phase(day(2), day(6));
    let theirs = phase(day(2), day(13));

    let merged = merged(&base, (&base, at(9)), (&theirs, at(1)));

    assert_eq!((merged.fields.due_date, merged.clashes), (day(13), vec![]));
}

#[test]
fn the_row_of_a_clash_has_both_values_and_what_was_before() {
    let base = phase(day(2), day(6));
    let (ours, theirs) = (phase(day(2), day(9)), phase(day(2), None));

    let merged = merged(&base, (&ours, at(5)), (&theirs, at(3)));
    let row = merged.clashes[0].to_row(PhaseId::new(), at(7));

    let texts = [&row.base_value, &row.our_value, &row.their_value].map(Option::as_deref);
    assert_eq!(texts, [Some("2026-03-06"), Some("2026-03-09"), None]);
    assert_eq!((row.our_time, row.their_time, row.create_time), (at(5), at(3), at(7)));
}
