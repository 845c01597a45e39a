#![expect(clippy::needless_range_loop, clippy::type_complexity, reason = "numbers stand for bookings here")]
use chrono::TimeDelta;
use proptest::prelude::*;

use super::*;

fn at(hour: i64) -> DateTime<Utc> {
    "2027-03-01T00:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::hours(hour)
}

fn uid(number: usize) -> String {
    format!("uid-{number}")
}

/// The booking `number` of a history, which begins at its own hour.
fn seen(number: usize, status: BookingStatus) -> Seen {
    let start = at(i64::try_from(number).unwrap());
    Seen {
        start: Some(start),
        end: Some(start + TimeDelta::minutes(30)),
        event_type_id: Some("7".into()),
        ..Seen { status, ..Seen::gone(&uid(number)) }
    }
}

/// What is told of a booking that is moved some times, may wait for confirmation each time, and may end.
fn history(moves: usize, pending: &[bool], end: Option<BookingStatus>) -> Vec<Seen> {
    let mut told = Vec::new();
    for number in 0..=moves {
        let from = number.checked_sub(1).map(uid);
        if pending[number] {
            told.push(Seen { rescheduled_from: from.clone(), ..seen(number, BookingStatus::Pending) });
        }
        let is_confirmed = !pending[number] || number < moves || end != Some(BookingStatus::Rejected);
        if is_confirmed {
            // A confirmation does not say where the booking came from.
            let from = from.filter(|_| !pending[number]);
            told.push(Seen { rescheduled_from: from, ..seen(number, BookingStatus::Accepted) });
        }
    }
    told.extend(end.map(|end| seen(moves, end)));
    told
}

fn learned(told: &[Seen]) -> Rows {
    let mut rows = Rows::new(IntegrationId::new(), Vec::new());
    for seen in told {
        rows.learn(seen, Certainty::Told, at(0));
    }
    rows
}

/// All that must not depend on the order.
fn facts_of(
    rows: &Rows,
) -> (Vec<(String, BookingStatus, Option<String>, Option<DateTime<Utc>>)>, Option<Head>) {
    let mut facts: Vec<_> = rows
        .all()
        .iter()
        .map(|row| (row.external_id.clone(), row.status, row.successor_external_id.clone(), row.start_time))
        .collect();
    facts.sort_by(|one, other| one.0.cmp(&other.0));
    (facts, rows.head())
}

fn histories() -> impl Strategy<Value = (Vec<Seen>, Vec<Seen>)> {
    let end =
        prop_oneof![Just(None), Just(Some(BookingStatus::Cancelled)), Just(Some(BookingStatus::Rejected)),];
    (0usize..4, prop::collection::vec(any::<bool>(), 4), end).prop_flat_map(|(moves, pending, end)| {
        let in_order = history(moves, &pending, end);
        let repeats = prop::sample::subsequence(in_order.clone(), 0..=in_order.len());
        let told = repeats.prop_flat_map({
            let in_order = in_order.clone();
            move |repeats| Just([in_order.clone(), repeats].concat()).prop_shuffle()
        });
        (Just(in_order), told)
    })
}

proptest! {
    #[test]
    fn in_whatever_order_and_however_often_it_is_told_the_rows_come_out_the_same(
        (in_order, told) in histories()
    ) {
        prop_assert_eq!(facts_of(&learned(&told)), facts_of(&learned(&in_order)));
    }

    #[test]
    fn a_lineage_has_one_head_and_everything_else_is_retired((in_order, told) in histories()) {
        let mut rows = learned(&told);
        rows.give_to(None);

        prop_assert_eq!(rows.all().iter().filter(|row| row.is_current).count(), 1);
        let retired = rows.all().iter().filter(|row| !row.is_current);
        for row in retired {
            prop_assert_eq!(row.status, BookingStatus::Rescheduled);
        }
        prop_assert_eq!(rows.head().unwrap().uid, in_order.last().unwrap().uid.clone());
    }
}

#[test]
fn what_is_told_never_takes_a_booking_back() {
    for known in BookingStatus::ALL.iter().copied() {
        for said in BookingStatus::ALL.iter().copied() {
            let believed = believe(known, said, Certainty::Told, true).unwrap();
            assert!(rank(believed) >= rank(known), "{known} {said}");
        }
    }
}

#[test]
fn a_read_that_contradicts_what_is_known_is_believed_only_the_second_time() {
    let mut rows = learned(&[seen(0, BookingStatus::Accepted), seen(0, BookingStatus::Cancelled)]);
    let read = Seen { updated_at: Some(at(1)), ..seen(0, BookingStatus::Accepted) };

    let first = rows.learn(&read, Certainty::Read, at(1));
    let in_between = rows.of(&uid(0)).unwrap().status;
    let second = rows.learn(&read, Certainty::Reread, at(1));

    assert_eq!((first, in_between), (Learned::Contradiction, BookingStatus::Cancelled));
    assert_eq!((second, rows.of(&uid(0)).unwrap().status), (Learned::News, BookingStatus::Accepted));
}

#[test]
fn a_read_that_is_older_than_one_before_says_nothing() {
    let mut rows = learned(&[seen(0, BookingStatus::Pending)]);
    let read = |hour, status| Seen { updated_at: Some(at(hour)), ..seen(0, status) };
    rows.learn(&read(2, BookingStatus::Accepted), Certainty::Read, at(2));

    let late = rows.learn(&read(1, BookingStatus::Cancelled), Certainty::Reread, at(3));

    assert_eq!((late, rows.of(&uid(0)).unwrap().status), (Learned::Late, BookingStatus::Accepted));
}

#[test]
fn a_moved_booking_is_not_revived_while_its_successor_lives() {
    let mut rows = learned(&history(1, &[false, false], None));
    let read = Seen { updated_at: Some(at(1)), ..seen(0, BookingStatus::Accepted) };

    rows.learn(&read, Certainty::Reread, at(1));
    let while_it_lives = rows.head().unwrap().uid;
    rows.learn(&Seen::gone(&uid(1)), Certainty::Reread, at(2));
    rows.learn(&read, Certainty::Reread, at(2));

    assert_eq!(while_it_lives, uid(1));
    assert_eq!(rows.head().map(|head| (head.uid, head.status)), Some((uid(0), BookingStatus::Accepted)));
}

#[test]
fn a_cancelled_booking_for_which_a_new_time_was_asked_goes_on_in_its_successor() {
    let told = [
        seen(0, BookingStatus::Accepted),
        seen(0, BookingStatus::Cancelled),
        Seen { rescheduled_from: Some(uid(0)), ..seen(1, BookingStatus::Accepted) },
    ];

    let rows = learned(&told);

    assert_eq!(rows.of(&uid(0)).unwrap().status, BookingStatus::Rescheduled);
    assert_eq!(rows.head().map(|head| head.uid), Some(uid(1)));
}

#[test]
fn of_two_that_say_they_came_of_one_booking_the_second_stands_for_itself() {
    let mut rows = learned(&history(1, &[false, false], None));
    let second = Seen { rescheduled_from: Some(uid(0)), ..seen(2, BookingStatus::Accepted) };

    rows.learn(&second, Certainty::Told, at(1));

    assert_eq!(rows.of(&uid(0)).unwrap().successor_external_id, Some(uid(1)));
    assert_eq!(rows.predecessor(&uid(2)), None);
}

#[test]
fn moves_in_a_circle_are_not_followed() {
    let mut rows = learned(&history(1, &[false, false], None));
    let back = Seen { rescheduled_from: Some(uid(1)), ..seen(0, BookingStatus::Accepted) };

    rows.learn(&back, Certainty::Told, at(1));

    assert_eq!(rows.head().map(|head| head.uid), Some(uid(1)));
}

#[test]
fn a_read_that_tells_where_a_booking_went_retires_it_though_it_reads_as_cancelled() {
    let mut rows = learned(&[seen(0, BookingStatus::Accepted)]);
    let moved = Seen { rescheduled_to: Some(uid(1)), ..seen(0, BookingStatus::Cancelled) };

    let learned = rows.learn(&moved, Certainty::Read, at(1));

    assert_eq!((learned, rows.of(&uid(0)).unwrap().status), (Learned::News, BookingStatus::Rescheduled));
    assert!(!rows.head().unwrap().is_known());
}
