use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::provider::calcom::BookingStatus;

fn booking(uid: &str, second: i64) -> Booking {
    let at = DateTime::from_timestamp(1_790_000_000 + second, 0).unwrap();
    Booking {
        uid: uid.into(),
        id: None,
        status: BookingStatus::Accepted,
        start: at,
        end: at,
        event_type_id: None,
        event_type_slug: None,
        title: None,
        location: None,
        attendees: Vec::new(),
        guests: Vec::new(),
        hosts: Vec::new(),
        metadata: BTreeMap::new(),
        rescheduled_from_uid: None,
        rescheduled_to_uid: None,
        rescheduling_reason: None,
        rescheduled_by_email: None,
        cancellation_reason: None,
        cancelled_by_email: None,
        absent_host: false,
        created_at: None,
        updated_at: Some(at),
        ics_uid: None,
        seat_uid: None,
        recurring_uid: None,
    }
}

/// What the provider would answer.
fn answer(all: &[Booking], query: &BookingQuery, take: usize) -> BookingPage {
    let after = query.after_start.or(query.after_updated_at).unwrap();
    let mut found: Vec<&Booking> = all.iter().filter(|one| one.start >= after).collect();
    found.sort_by_key(|one| one.start);
    let skip = query.skip as usize;
    let bookings: Vec<Booking> = found.iter().skip(skip).take(take).map(|one| (*one).clone()).collect();
    let more = skip + bookings.len() < found.len();
    BookingPage {
        bookings,
        unreadable: 0,
        total: Some(found.len() as u64),
        next_skip: more.then(|| query.skip + take as u32),
    }
}

proptest! {
    #[test]
    fn every_booking_is_read_once_however_they_crowd_at_one_instant(
        seconds in prop::collection::vec(0..6i64, 0..40), take in 1..7usize, by_start: bool,
    ) {
        let all: Vec<Booking> =
            seconds.iter().enumerate().map(|(nth, second)| booking(&format!("uid{nth}"), *second)).collect();
        let begin = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        let mut pager = if by_start { Pager::living(begin) } else { Pager::changed(begin) };
        let mut read = Vec::new();

        for _ in 0..200 {
            let turned = pager.turn(answer(&all, &pager.query(), take));
            read.extend(turned.fresh.into_iter().map(|one| one.uid));
            if turned.is_last {
                break;
            }
        }

        read.sort_unstable();
        let mut expected: Vec<String> = all.into_iter().map(|one| one.uid).collect();
        expected.sort_unstable();
        prop_assert_eq!(read, expected);
    }
}

#[test]
fn a_booking_that_slips_to_an_earlier_place_takes_nobody_with_it() {
    let begin = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
    let mut all: Vec<Booking> = (0..6).map(|nth| booking(&format!("uid{nth}"), nth)).collect();
    let mut pager = Pager::living(begin);
    let mut read = Vec::new();

    let first = pager.turn(answer(&all, &pager.query(), 3));
    read.extend(first.fresh.into_iter().map(|one| one.uid));
    all.remove(0);
    let second = pager.turn(answer(&all, &pager.query(), 10));
    read.extend(second.fresh.into_iter().map(|one| one.uid));

    assert_eq!(read, ["uid0", "uid1", "uid2", "uid3", "uid4", "uid5"]);
    assert!(second.is_last);
}
