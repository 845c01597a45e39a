//! What bookings go through. Every verb changes the world at once, or refuses; it tells nobody itself but
//! returns the events that are to be told.

use serde_json::{Map, Value};

use super::booking::{Attendee, Booking};
use super::webhook::Trigger;

mod cancel;
mod create;
mod decide;
mod reschedule;

pub(crate) use cancel::Cancelling;
pub(crate) use reschedule::Moving;

/// Who acts. The API never says who cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Actor {
    /// A request; the key's user, if it came with one.
    Api(Option<i64>),
    /// The attendee at the booking page.
    Attendee,
    /// The host in the app.
    Host,
}

/// What a verb did.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) shown: Shown,
    pub(crate) events: Vec<Event>,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Shown {
    One(Booking),
    /// One place in a booking.
    Seat(Booking, String),
    Series(Vec<Booking>),
}

impl Shown {
    /// The booking a person would look at; the first one of a series.
    pub(crate) fn booking(self) -> Option<Booking> {
        match self {
            Self::One(booking) | Self::Seat(booking, _) => Some(booking),
            Self::Series(bookings) => bookings.into_iter().next(),
        }
    }
}

/// Something subscribers are told.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) trigger: Trigger,
    /// As it was when it happened; a queued delivery reads it again.
    pub(crate) booking: Booking,
    pub(crate) detail: Detail,
}

/// What a payload says beyond the booking.
#[derive(Clone, Debug)]
pub(crate) enum Detail {
    /// Made and accepted at once, or requested: with the metadata of the request.
    Made {
        metadata: Map<String, Value>,
    },
    /// Accepted later on, by the host or by a payment.
    Decided,
    Moved(Box<Moved>),
    Cancelled {
        by: Option<String>,
        reason: Option<String>,
        request_reschedule: bool,
        whole_series: bool,
    },
    SeatCancelled {
        attendee: Attendee,
        reason: Option<String>,
    },
    Rejected {
        reason: Option<String>,
    },
    Payment,
    NoShow {
        emails: Vec<(String, bool)>,
    },
    Meeting,
}

#[derive(Clone, Debug)]
pub(crate) struct Moved {
    pub(crate) from: Booking,
    pub(crate) by: Option<String>,
    pub(crate) reason: Option<String>,
    /// What an inline delivery says: the old booking's for the API, what the browser sent for people.
    pub(crate) metadata: Map<String, Value>,
}
