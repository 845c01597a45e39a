//! Cal.com's double: hosts, event types and bookings of its own, in memory and if wanted in a file, behind
//! API v2 and webhooks as the public source has them, over real HTTP.
//!
//! What it copies on purpose are the traps: a new uid for every reschedule, webhooks that arrive before the
//! answer, two error envelopes and no code for a slot that is taken, an old contract for whoever forgets the
//! version header, reservations that protect nothing, and deliveries that are never repeated. It can also be
//! told to fail: see [`Rule`], [`Gate`], [`Calcom::stop`].
//!
//! It listens on loopback and posts to loopback, nothing else, and so needs no guard on where it may go.

pub use crate::sandbox::gate::{Gate, Point};
pub use api::Operation;
pub use booking::{Attendee, Booking, NewBooking, Seat, Source, Status};
pub use courier::{Delivery, Outcome};
pub use demo::Demo;
pub use event_type::{EventType, EventTypeOptions, Frequency, Recurrence};
pub use faults::{Fault, Rule, When};
pub use handle::Calcom;
pub use people::{Hours, User};
pub use record::Recorded;
pub use refusal::{Envelope, Refusal};
pub use reservation::Reservation;
pub use settings::{Clock, Generation, Limits, Settings};
pub use webhook::{Scope, Trigger, Webhook};

mod actions;
mod api;
mod availability;
mod booking;
mod control;
mod courier;
mod demo;
mod engine;
mod event_type;
mod faults;
mod handle;
mod inner;
mod limit;
mod payload;
mod people;
mod record;
mod refusal;
mod reservation;
mod settings;
pub mod spec;
#[cfg(test)]
mod tests;
mod webhook;
mod world;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the sandbox listens on loopback addresses only")]
    NotLoopback,
    #[error("the HTTP client could not be built")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error(transparent)]
    Kept(#[from] crate::sandbox::keeper::Unusable),
    #[error("the sandbox cannot listen")]
    Listen(#[from] std::io::Error),
    #[error("Cal.com knows no such {noun}")]
    Unknown { noun: &'static str },
    #[error("Cal.com refuses with {}: {}", .0.status, .0.message)]
    Refused(Refusal),
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Error {
    fn http_status(&self) -> http::StatusCode {
        match self {
            Self::Unknown { .. } => http::StatusCode::NOT_FOUND,
            Self::Refused(refusal) => refusal.http_status(),
            Self::NotLoopback | Self::Client(_) | Self::Kept(_) | Self::Listen(_) => {
                http::StatusCode::INTERNAL_SERVER_ERROR
            }
        }
    }
}
