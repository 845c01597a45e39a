//! Reading a long list whose rows change meanwhile: by a key that only grows, so that what moves between two
//! pages is read twice rather than not at all.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};

use crate::provider::calcom::{Booking, BookingPage, BookingQuery, ListStatus, Sort};

/// Bookings of one page.
const TAKE: u32 = 100;
/// Whether a bound of the list holds for the instant itself is not documented;
/// it has no finer times than this.
const TICK: TimeDelta = TimeDelta::milliseconds(1);

/// Where the reading is.
pub(super) struct Pager {
    sort: Sort,
    statuses: Vec<ListStatus>,
    from: DateTime<Utc>,
    /// How many rows of `from` itself were read; only where there are more than a page of them.
    skip: u32,
    /// The uids that were read and have the key `from`.
    told: HashSet<String>,
}

/// What a page brought.
pub(super) struct Turned {
    /// Not read before.
    pub(super) fresh: Vec<Booking>,
    /// All that is there from the key before this page up to, but without, the key now.
    pub(super) uids: HashSet<String>,
    pub(super) is_last: bool,
}

impl Pager {
    /// Everything that was changed at or after this instant, by its last change.
    pub(super) fn changed(from: DateTime<Utc>) -> Self {
        Self::new(Sort::UpdatedAt, Vec::new(), from)
    }

    /// Everything that lives and begins at or after this instant, by its begin.
    pub(super) fn living(from: DateTime<Utc>) -> Self {
        let statuses = vec![ListStatus::Upcoming, ListStatus::Recurring, ListStatus::Unconfirmed];
        Self::new(Sort::Start, statuses, from)
    }

    fn new(sort: Sort, statuses: Vec<ListStatus>, from: DateTime<Utc>) -> Self {
        Self { sort, statuses, from, skip: 0, told: HashSet::new() }
    }

    /// Up to where everything was read.
    pub(super) fn reached(&self) -> DateTime<Utc> {
        self.from
    }

    pub(super) fn query(&self) -> BookingQuery {
        let after = Some(self.from - TICK);
        let (after_start, after_updated_at) = match self.sort {
            Sort::Start => (after, None),
            Sort::UpdatedAt => (None, after),
        };
        BookingQuery {
            statuses: self.statuses.clone(),
            after_start,
            after_updated_at,
            sort: Some(self.sort),
            take: TAKE,
            skip: self.skip,
            ..BookingQuery::default()
        }
    }

    /// Takes a page in and moves on.
    pub(super) fn turn(&mut self, page: BookingPage) -> Turned {
        let key = |booking: &Booking| match self.sort {
            Sort::Start => Some(booking.start),
            Sort::UpdatedAt => booking.updated_at,
        };
        let last = page.bookings.iter().filter_map(key).max().unwrap_or(self.from);
        let uids_of = |keyed: Option<DateTime<Utc>>| {
            let of_key = page.bookings.iter().filter(move |one| keyed.is_none() || key(one) == keyed);
            of_key.map(|one| one.uid.clone()).collect::<HashSet<_>>()
        };
        let uids: HashSet<String> = uids_of(None).union(&self.told).cloned().collect();
        let told = uids_of(Some(last));
        let fresh = page.bookings.into_iter().filter(|one| !self.told.contains(&one.uid)).collect();
        if last > self.from {
            (self.from, self.skip, self.told) = (last, 0, told);
        } else {
            self.told.extend(told);
            self.skip = page.next_skip.unwrap_or(self.skip);
        }
        Turned { fresh, uids, is_last: page.next_skip.is_none() }
    }
}

#[cfg(test)]
mod tests;
