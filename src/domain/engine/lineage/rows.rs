//! The rows of a lineage, and how what is learned adds to them. Nothing here asks anybody.

use chrono::{DateTime, Utc};

use super::{Certainty, Seen};
use crate::{
    ids::{AppointmentId, BookingId, IntegrationId},
    store::booking::Booking,
    words::BookingStatus,
};

/// Bookings that are connected by moves, or by their appointment.
#[derive(Clone)]
pub(super) struct Rows {
    integration: IntegrationId,
    rows: Vec<Booking>,
    /// Those that are nowhere but here.
    fresh: Vec<BookingId>,
}

/// How a booking stands, as far as an appointment goes by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) uid: String,
    pub(super) status: BookingStatus,
    pub(super) start: Option<DateTime<Utc>>,
    pub(super) end: Option<DateTime<Utc>>,
    pub(super) event_type_id: Option<String>,
}

/// What a piece of knowledge did to the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Learned {
    /// The booking was not known, or stands otherwise than was known.
    News,
    /// As known.
    Known,
    /// A later state is known already; facts that were missing were added.
    Late,
    /// Cannot be believed yet; the rows are as they were.
    Contradiction,
}

impl Rows {
    pub(super) fn new(integration: IntegrationId, rows: Vec<Booking>) -> Self {
        Self { integration, rows, fresh: Vec::new() }
    }

    pub(super) fn of(&self, uid: &str) -> Option<&Booking> {
        self.rows.iter().find(|row| row.external_id == uid)
    }

    pub(super) fn all(&self) -> &[Booking] {
        &self.rows
    }

    pub(super) fn is_fresh(&self, row: &Booking) -> bool {
        self.fresh.contains(&row.id)
    }

    /// How many live at an event type, or at one that is not known.
    pub(super) fn living_at(&self, event_type: Option<&str>) -> usize {
        let is_there = |row: &&Booking| match (row.external_event_type_id.as_deref(), event_type) {
            (Some(one), Some(other)) => one == other,
            (None, _) | (_, None) => true,
        };
        self.rows.iter().filter(|row| lives(row.status)).filter(is_there).count()
    }

    /// Takes in rows of an appointment that turned out to be the same.
    pub(super) fn join(&mut self, others: Vec<Booking>) {
        for other in others {
            if self.rows.iter().all(|row| row.id != other.id) {
                self.rows.push(other);
            }
        }
    }

    /// The appointments of these rows, oldest first.
    /// More than one when a move is learned of after both its ends.
    pub(super) fn appointments(&self) -> Vec<AppointmentId> {
        let mut ids: Vec<_> = self.rows.iter().filter_map(|row| row.appointment_id).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// The uid that was moved to this one.
    pub(super) fn predecessor(&self, uid: &str) -> Option<&str> {
        let before = self.rows.iter().find(|row| row.successor_external_id.as_deref() == Some(uid));
        before.map(|row| row.external_id.as_str())
    }

    /// The booking that lives, or lived last: the one that was not moved away.
    pub(super) fn head(&self) -> Option<Head> {
        self.head_row().map(Head::of)
    }

    /// The head of one appointment as it is kept.
    pub(super) fn current_of(&self, appointment: AppointmentId) -> Option<Head> {
        let current = self.rows.iter().find(|row| row.is_current && row.appointment_id == Some(appointment));
        current.map(Head::of)
    }

    fn head_row(&self) -> Option<&Booking> {
        let unmoved = self.rows.iter().filter(|row| row.successor_external_id.is_none());
        unmoved.max_by_key(|row| (lives(row.status), row.status != BookingStatus::Unknown, row.id))
    }

    /// Gives all of them to one appointment and marks the head.
    pub(super) fn give_to(&mut self, appointment: Option<AppointmentId>) {
        let head = self.head_row().map(|row| row.id);
        for row in &mut self.rows {
            row.appointment_id = appointment;
            row.is_current = Some(row.id) == head;
        }
        // The mark is unique in an appointment: it is taken away before it is given.
        self.rows.sort_by_key(|row| row.is_current);
    }

    /// Adds what was learned. A contradiction leaves the rows as they were.
    pub(super) fn learn(&mut self, seen: &Seen, certainty: Certainty, now: DateTime<Utc>) -> Learned {
        let known = self.of(&seen.uid).cloned();
        let is_older_read = known.as_ref().and_then(|row| row.confirmed_time).is_some_and(|confirmed| {
            certainty != Certainty::Told && seen.updated_at.is_some_and(|at| at < confirmed)
        });
        if is_older_read {
            return Learned::Late;
        }
        let status = known.as_ref().map_or(BookingStatus::Unknown, |row| row.status);
        let said = if seen.rescheduled_to.is_some() { BookingStatus::Rescheduled } else { seen.status };
        let believed = believe(status, said, certainty, self.successor_lives(&seen.uid));
        let Some(believed) = believed else { return Learned::Contradiction };

        let mut row = known.clone().unwrap_or_else(|| self.unknown(&seen.uid, now));
        row.status = believed;
        if certainty == Certainty::Told {
            row.start_time = row.start_time.or(seen.start);
            row.end_time = row.end_time.or(seen.end);
            row.external_event_type_id = row.external_event_type_id.or_else(|| seen.event_type_id.clone());
        } else {
            row.start_time = seen.start.or(row.start_time);
            row.end_time = seen.end.or(row.end_time);
            row.external_event_type_id = seen.event_type_id.clone().or(row.external_event_type_id);
            row.confirmed_time = row.confirmed_time.max(seen.updated_at);
        }
        if believed != BookingStatus::Rescheduled {
            row.successor_external_id = None;
        }
        let is_news = known.as_ref().is_none_or(|known| facts(known) != facts(&row)) || believed != status;
        self.put(row);
        let is_linked_before = seen.rescheduled_from.as_deref().is_some_and(|from| {
            let from_row = self.of(from).cloned().unwrap_or_else(|| self.unknown(from, now));
            self.link(from_row, &seen.uid, certainty)
        });
        let is_linked_after = seen.rescheduled_to.as_deref().is_some_and(|to| {
            if self.of(to).is_none() {
                self.put(self.unknown(to, now));
            }
            let moved = self.of(&seen.uid).cloned();
            moved.is_some_and(|moved| self.link(moved, to, Certainty::Reread))
        });
        match is_news || is_linked_before || is_linked_after {
            true if believed == said || is_linked_before => Learned::News,
            _ if believed == said || said == BookingStatus::Unknown => Learned::Known,
            _ => Learned::Late,
        }
    }

    /// Says that `from` became `to`; whether that was not known.
    fn link(&mut self, mut from: Booking, to: &str, certainty: Certainty) -> bool {
        if from.successor_external_id.as_deref() == Some(to) || self.leads_to(to, &from.external_id) {
            return false;
        }
        // Of two that say they came of one booking the first counts,
        // unless the provider says otherwise of a dead one.
        let is_taken = from.successor_external_id.is_some();
        let is_dead = !self.successor_lives(&from.external_id);
        if is_taken && !(certainty != Certainty::Told && is_dead) {
            return false;
        }
        from.successor_external_id = Some(to.into());
        from.status = BookingStatus::Rescheduled;
        self.put(from);
        true
    }

    fn leads_to(&self, from: &str, to: &str) -> bool {
        let mut at = from;
        for _ in 0..=self.rows.len() {
            if at == to {
                return true;
            }
            match self.of(at).and_then(|row| row.successor_external_id.as_deref()) {
                Some(next) => at = next,
                None => return false,
            }
        }
        true
    }

    fn successor_lives(&self, uid: &str) -> bool {
        let successor = self.of(uid).and_then(|row| row.successor_external_id.as_deref());
        // A moved successor lives on in its own.
        successor
            .and_then(|successor| self.of(successor))
            .is_some_and(|row| lives(row.status) || row.status == BookingStatus::Rescheduled)
    }

    fn put(&mut self, row: Booking) {
        match self.rows.iter_mut().find(|known| known.id == row.id) {
            Some(known) => *known = row,
            None => {
                self.fresh.push(row.id);
                self.rows.push(row);
            }
        }
    }

    fn unknown(&self, uid: &str, now: DateTime<Utc>) -> Booking {
        Booking {
            id: BookingId::new(),
            integration_id: self.integration,
            external_id: uid.into(),
            appointment_id: None,
            external_event_type_id: None,
            status: BookingStatus::Unknown,
            start_time: None,
            end_time: None,
            successor_external_id: None,
            is_current: false,
            confirmed_time: None,
            create_time: now,
            update_time: now,
        }
    }
}

impl Head {
    fn of(row: &Booking) -> Self {
        Self {
            uid: row.external_id.clone(),
            status: row.status,
            start: row.start_time,
            end: row.end_time,
            event_type_id: row.external_event_type_id.clone(),
        }
    }

    pub(super) fn lives(&self) -> bool {
        lives(self.status)
    }

    /// Whether more is known of it than its uid.
    pub(super) fn is_known(&self) -> bool {
        self.status != BookingStatus::Unknown
    }
}

type Facts<'a> = (BookingStatus, Option<DateTime<Utc>>, Option<DateTime<Utc>>, Option<&'a str>);

/// What counts of a booking; when it was confirmed does not.
fn facts(row: &Booking) -> Facts<'_> {
    (row.status, row.start_time, row.end_time, row.external_event_type_id.as_deref())
}

fn lives(status: BookingStatus) -> bool {
    matches!(status, BookingStatus::Pending | BookingStatus::Accepted)
}

/// How far a booking has come. It only ever comes further, whoever says what in which order.
fn rank(status: BookingStatus) -> u8 {
    match status {
        BookingStatus::Unknown => 0,
        BookingStatus::Pending => 1,
        BookingStatus::Accepted => 2,
        BookingStatus::Rejected => 3,
        BookingStatus::Cancelled => 4,
        BookingStatus::Rescheduled => 5,
    }
}

/// How a booking stands that was known as `known` and is said to be `said`.
/// `None`: it must be read again first.
fn believe(
    known: BookingStatus,
    said: BookingStatus,
    certainty: Certainty,
    successor_lives: bool,
) -> Option<BookingStatus> {
    let is_back = rank(said) < rank(known) && said != BookingStatus::Unknown;
    let is_revival = is_back && lives(said);
    match certainty {
        _ if !is_back => Some(if said == BookingStatus::Unknown { known } else { said }),
        Certainty::Told => Some(known),
        // Both are ends.
        _ if !is_revival => Some(known),
        Certainty::Read => None,
        // Its successor knows better.
        Certainty::Reread if known == BookingStatus::Rescheduled && successor_lives => Some(known),
        Certainty::Reread => Some(said),
    }
}

#[cfg(test)]
#[path = "rows/tests.rs"]
mod tests;
