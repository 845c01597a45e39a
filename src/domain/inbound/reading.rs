//! Bodies, as their provider's reader understands them.

use chrono::{DateTime, Utc};
use http::HeaderMap;

use super::{asana, booking_tool, calcom, unadapted};
use crate::{
    error::Result,
    provider::{
        asana::webhook::Delivery,
        booking_tool::{Envelope, Event},
        calcom::webhook,
        catalog::{self, Adapter},
    },
    store::TenantTx,
    vault::TenantKey,
};

/// A body that names its event.
pub(super) struct Reading {
    pub(super) event_type: String,
    /// As the body gives it.
    pub(super) delivery_id: Option<String>,
    pub(super) occurred_time: Option<DateTime<Utc>>,
    pub(super) said: Result<Said, Unfit>,
}

/// What it says.
#[expect(clippy::large_enum_variant, reason = "one at a time, on its way")]
pub(super) enum Said {
    BookingTool(Envelope, Event),
    Calcom(webhook::Event),
    Asana(Delivery),
    /// Anything at all, as somebody's template has it.
    Template,
    /// Something of a provider that nobody here reads.
    Unadapted {
        /// It only says that the address works.
        is_greeting: bool,
        /// The provider gives no id, so an equal body is a repeat if it was told at the same time, as written.
        told_at: Option<String>,
    },
}

/// It does not fit the contract.
#[derive(Debug, Clone)]
pub(super) struct Unfit {
    pub(super) field: String,
    pub(super) reason: &'static str,
}

/// Whose data a body holds, by the provider's ids, so that erasure finds it.
#[derive(Debug, Default)]
pub(super) struct Named {
    pub(super) patient: Option<String>,
    pub(super) appointment: Option<String>,
}

impl Named {
    /// Nobody would find a person in it again when that person is to be forgotten.
    pub(super) fn is_nobody(&self) -> bool {
        self.patient.is_none() && self.appointment.is_none()
    }
}

impl Reading {
    /// `None`: not to be read at all.
    pub(super) fn of(
        provider: &str,
        headers: &HeaderMap,
        body: &[u8],
        receive_time: DateTime<Utc>,
    ) -> Option<Self> {
        let row = catalog::find(provider)?;
        match row.adapter {
            Adapter::Calcom => calcom::read(body),
            Adapter::Asana => asana::read(body),
            Adapter::Booking => booking_tool::read(body, receive_time),
            Adapter::None => unadapted::read(row.webhook.as_ref()?, headers, body),
        }
    }

    /// Whether a delivery without an id is told by its bytes: a repeat of an unfit one must get the same
    /// answer, and Cal.com writes the time of sending into each.
    pub(super) fn is_its_own_id(&self) -> bool {
        match &self.said {
            Ok(Said::Unadapted { told_at, .. }) => told_at.is_some(),
            Err(_) | Ok(Said::Calcom(_) | Said::Template) => true,
            // All heartbeats are alike, and each is a sign of life.
            Ok(Said::Asana(delivery)) => !delivery.is_heartbeat(),
            Ok(Said::BookingTool(..)) => false,
        }
    }

    /// What else than its bytes tells a delivery without an id from others.
    pub(super) fn told_at(&self) -> Option<&[u8]> {
        match &self.said {
            Ok(Said::Unadapted { told_at, .. }) => told_at.as_ref().map(String::as_bytes),
            _ => None,
        }
    }

    pub(super) async fn named(&self, tx: &mut TenantTx, key: &TenantKey, body: &[u8]) -> Result<Named> {
        match &self.said {
            Ok(Said::Calcom(event)) => calcom::named(tx, key, event).await,
            // Ids alone, and no person's name.
            Ok(Said::Template | Said::Unadapted { .. } | Said::Asana(_)) => Ok(Named::default()),
            Ok(Said::BookingTool(..)) | Err(_) => Ok(Named {
                patient: booking_tool::patient_named_in(body),
                appointment: booking_tool::appointment_named_in(body),
            }),
        }
    }
}
