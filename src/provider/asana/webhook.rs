//! What Asana calls us with: the body of an authentic delivery.
//!
//! One delivery mixes events of several records, told at most once, late, doubled and in any order. It says
//! what changed and by whom, not to what: everything is read again.

use serde_json::Value;

use super::event::Event;
use super::page::{Unfit, read_all};
use crate::provider::fields::Fields;

/// One delivery. Without events it is a heartbeat: a sign of life every eight hours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    pub events: Vec<Event>,
    /// Events without a known form.
    pub unfit: Vec<Unfit>,
}

/// Why a body is no delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    #[error("not JSON")]
    NotJson,
    #[error("events is missing or no list")]
    NoEvents,
}

/// Reads the body of an authentic delivery.
pub fn parse(body: &[u8]) -> Result<Delivery, ParseError> {
    let root: Value = serde_json::from_slice(body).map_err(|_| ParseError::NotJson)?;
    let events = Fields::of(&root).and_then(|root| root.get("events")?.as_array());
    let (events, unfit) = read_all(events.ok_or(ParseError::NoEvents)?, Event::of);
    Ok(Delivery { events, unfit })
}

impl Delivery {
    /// Nothing happened; Asana only says that it is there.
    pub fn is_heartbeat(&self) -> bool {
        self.events.is_empty() && self.unfit.is_empty()
    }
}
