//! Everything the double knows. Changes are made under one lock, and never while anything is awaited.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::Error;
use super::booking::{Booking, new_uuid};
use super::demo::Demo;
use super::event_type::{EventType, EventTypeOptions};
use super::people::{Hours, User};
use super::refusal::Refusal;
use super::reservation::Reservation;
use super::webhook::Webhook;

/// First ids, far apart, so that a mixed-up id finds nothing.
const FIRST_USER: i64 = 70_412;
const FIRST_EVENT_TYPE: i64 = 481_207;
const FIRST_BOOKING: i64 = 9_000_101;
const FIRST_ATTENDEE: i64 = 812_204;
const FIRST_PAYMENT: i64 = 5_120;

#[derive(Serialize, Deserialize)]
pub(crate) struct World {
    pub(crate) users: Vec<User>,
    keys: HashMap<String, Key>,
    pub(crate) event_types: Vec<EventType>,
    bookings: Vec<Booking>,
    by_uid: HashMap<String, usize>,
    pub(crate) reservations: Vec<Reservation>,
    pub(crate) webhooks: Vec<Webhook>,
    /// Appointments in hosts' own calendars, which Cal.com only sees as busy.
    pub(crate) elsewhere: Vec<(i64, DateTime<Utc>, DateTime<Utc>)>,
    pub(crate) blocked: HashSet<String>,
    pub(crate) watched: HashSet<String>,
    /// What [`super::Calcom::add_demo`] made.
    pub(crate) demo: Option<Demo>,
    ids: Ids,
    /// The bookings the last change touched, as they were before it.
    #[serde(skip)]
    before: HashMap<usize, Option<Booking>>,
}

/// Whom a key stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Key {
    pub(crate) id: i64,
    pub(crate) user_id: i64,
}

#[derive(Serialize, Deserialize)]
struct Ids {
    user: i64,
    key: i64,
    event_type: i64,
    booking: i64,
    attendee: i64,
    payment: i64,
}

impl World {
    pub(crate) fn new(offset: i64) -> Self {
        Self {
            users: Vec::new(),
            keys: HashMap::new(),
            event_types: Vec::new(),
            bookings: Vec::new(),
            by_uid: HashMap::new(),
            reservations: Vec::new(),
            webhooks: Vec::new(),
            elsewhere: Vec::new(),
            blocked: HashSet::new(),
            watched: HashSet::new(),
            demo: None,
            ids: Ids {
                user: FIRST_USER + offset,
                key: 1 + offset,
                event_type: FIRST_EVENT_TYPE + offset,
                booking: FIRST_BOOKING + offset,
                attendee: FIRST_ATTENDEE + offset,
                payment: FIRST_PAYMENT + offset,
            },
            before: HashMap::new(),
        }
    }

    pub(crate) fn add_user(&mut self, name: &str, email: &str, time_zone: Tz, hours: Vec<Hours>) -> User {
        let user = User {
            id: next(&mut self.ids.user),
            name: name.to_owned(),
            email: email.to_owned(),
            username: name.to_lowercase().replace(' ', "-"),
            time_zone,
            locale: "de".to_owned(),
            hours,
            api_key: new_key(),
        };
        self.keys.insert(user.api_key.clone(), Key { id: next(&mut self.ids.key), user_id: user.id });
        self.users.push(user.clone());
        user
    }

    pub(crate) fn add_key(&mut self, user_id: i64) -> Result<String, Error> {
        self.user(user_id).ok_or(Error::Unknown { noun: "user" })?;
        let key = new_key();
        self.keys.insert(key.clone(), Key { id: next(&mut self.ids.key), user_id });
        Ok(key)
    }

    pub(crate) fn revoke_key(&mut self, key: &str) -> bool {
        self.keys.remove(key).is_some()
    }

    pub(crate) fn key(&self, key: &str) -> Option<Key> {
        self.keys.get(key).copied()
    }

    pub(crate) fn user(&self, id: i64) -> Option<&User> {
        self.users.iter().find(|user| user.id == id)
    }

    pub(crate) fn user_mut(&mut self, id: i64) -> Result<&mut User, Error> {
        self.users.iter_mut().find(|user| user.id == id).ok_or(Error::Unknown { noun: "user" })
    }

    /// Of an event type or a booking; they are never without.
    pub(crate) fn owner(&self, id: i64) -> Result<&User, Refusal> {
        self.user(id).ok_or_else(|| Refusal::engine(500, "Internal server error"))
    }

    pub(crate) fn add_event_type(
        &mut self,
        owner_id: i64,
        (slug, title): (&str, &str),
        length_minutes: u32,
        options: EventTypeOptions,
    ) -> Result<i64, Error> {
        self.user(owner_id).ok_or(Error::Unknown { noun: "user" })?;
        let (slug, title) = (slug.to_owned(), title.to_owned());
        let id = next(&mut self.ids.event_type);
        self.event_types.push(EventType { id, owner_id, slug, title, length_minutes, options });
        Ok(id)
    }

    pub(crate) fn event_type(&self, id: i64) -> Option<&EventType> {
        self.event_types.iter().find(|found| found.id == id)
    }

    pub(crate) fn event_type_by_slug(&self, username: &str, slug: &str) -> Option<&EventType> {
        let owner = self.users.iter().find(|user| user.username == username)?;
        self.event_types.iter().find(|found| found.owner_id == owner.id && found.slug == slug)
    }

    /// Of a booking; an event type that was deleted since leaves its bookings behind.
    pub(crate) fn kind_of(&self, booking: &Booking) -> Result<&EventType, Refusal> {
        let gone = || Refusal::not_found(format!("Event type with id {} not found.", booking.event_type_id));
        self.event_type(booking.event_type_id).ok_or_else(gone)
    }

    pub(crate) fn bookings(&self) -> &[Booking] {
        &self.bookings
    }

    pub(crate) fn booking(&self, uid: &str) -> Option<&Booking> {
        self.by_uid.get(uid).and_then(|place| self.bookings.get(*place))
    }

    /// By a booking's own uid or that of one of its seats.
    pub(crate) fn booking_or_seat(&self, uid: &str) -> Option<&Booking> {
        self.booking(uid).or_else(|| {
            let has_seat = |booking: &&Booking| {
                booking.attendees.iter().any(|one| one.seat.as_ref().is_some_and(|seat| seat.uid == uid))
            };
            self.bookings.iter().find(has_seat)
        })
    }

    pub(crate) fn series(&self, recurring_uid: &str) -> Vec<Booking> {
        let of_series = |one: &&Booking| one.recurring_uid.as_deref() == Some(recurring_uid);
        self.bookings.iter().filter(of_series).cloned().collect()
    }

    /// The bookings as they were before the last change, as a read connection that lags behind shows them.
    pub(crate) fn bookings_before(&self) -> Vec<Booking> {
        let as_it_was = |(place, booking): (usize, &Booking)| match self.before.get(&place) {
            Some(before) => before.clone(),
            None => Some(booking.clone()),
        };
        self.bookings.iter().enumerate().filter_map(as_it_was).collect()
    }

    /// Opens a change: what it touches is remembered as it was.
    pub(crate) fn begin(&mut self) {
        self.before.clear();
    }

    /// Adds a booking, or replaces the one of this uid.
    pub(crate) fn put(&mut self, mut booking: Booking, now: DateTime<Utc>) -> Booking {
        booking.updated_at = now.max(booking.updated_at);
        match self.by_uid.get(&booking.uid).and_then(|place| Some((*place, self.bookings.get_mut(*place)?))) {
            Some((place, kept)) => {
                let was = std::mem::replace(kept, booking.clone());
                self.before.entry(place).or_insert(Some(was));
            }
            None => {
                let place = self.bookings.len();
                self.by_uid.insert(booking.uid.clone(), place);
                self.bookings.push(booking.clone());
                self.before.insert(place, None);
            }
        }
        booking
    }

    pub(crate) fn next_booking_id(&mut self) -> i64 {
        next(&mut self.ids.booking)
    }

    pub(crate) fn next_attendee_id(&mut self) -> i64 {
        next(&mut self.ids.attendee)
    }

    pub(crate) fn next_payment_id(&mut self) -> i64 {
        next(&mut self.ids.payment)
    }
}

fn next(id: &mut i64) -> i64 {
    let taken = *id;
    *id += 1;
    taken
}

fn new_key() -> String {
    format!("cal_live_{}", new_uuid().simple())
}
