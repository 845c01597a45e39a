//! The routes, by name.

use http::Method;
use serde::{Deserialize, Serialize};

/// What a request means, whatever version of the contract it is under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    GetMe,
    ListEventTypes,
    GetEventType,
    CreateBooking,
    ListBookings,
    GetBooking,
    GetBookingBySeat,
    RescheduleBooking,
    CancelBooking,
    ConfirmBooking,
    DeclineBooking,
    MarkAbsent,
    RequestReschedule,
    ListSlots,
    ReserveSlot,
    GetReservation,
    UpdateReservation,
    DeleteReservation,
    ListWebhooks,
    CreateWebhook,
    GetWebhook,
    UpdateWebhook,
    DeleteWebhook,
    ListEventTypeWebhooks,
    CreateEventTypeWebhook,
    DeleteEventTypeWebhooks,
    GetEventTypeWebhook,
    UpdateEventTypeWebhook,
    DeleteEventTypeWebhook,
}

use Operation::*;

impl Operation {
    /// The operation of a route, and the variable parts of its path.
    pub(super) fn of(method: &Method, path: &str) -> Option<(Self, Vec<String>)> {
        let parts: Vec<&str> = path.strip_prefix("/v2/")?.trim_end_matches('/').split('/').collect();
        let (operation, arguments): (Self, &[&str]) = match (method.as_str(), parts.as_slice()) {
            ("GET", ["me"]) => (GetMe, &[]),
            ("GET", ["event-types"]) => (ListEventTypes, &[]),
            ("GET", ["event-types", id]) => (GetEventType, &[id]),
            (method, ["event-types", id, "webhooks"]) => (of_event_type_webhooks(method)?, &[id]),
            (method, ["event-types", id, "webhooks", webhook]) => {
                (of_event_type_webhook(method)?, &[id, webhook])
            }
            ("GET", ["bookings"]) => (ListBookings, &[]),
            ("POST", ["bookings"]) => (CreateBooking, &[]),
            ("GET", ["bookings", "by-seat", uid]) => (GetBookingBySeat, &[uid]),
            ("GET", ["bookings", uid]) => (GetBooking, &[uid]),
            ("POST", ["bookings", uid, verb]) => (of_verb(verb)?, &[uid]),
            ("GET", ["slots"]) => (ListSlots, &[]),
            ("POST", ["slots", "reservations"]) => (ReserveSlot, &[]),
            ("GET", ["slots", "reservations", uid]) => (GetReservation, &[uid]),
            ("PATCH", ["slots", "reservations", uid]) => (UpdateReservation, &[uid]),
            ("DELETE", ["slots", "reservations", uid]) => (DeleteReservation, &[uid]),
            ("GET", ["webhooks"]) => (ListWebhooks, &[]),
            ("POST", ["webhooks"]) => (CreateWebhook, &[]),
            ("GET", ["webhooks", id]) => (GetWebhook, &[id]),
            ("PATCH", ["webhooks", id]) => (UpdateWebhook, &[id]),
            ("DELETE", ["webhooks", id]) => (DeleteWebhook, &[id]),
            _ => return None,
        };
        let decoded =
            |part: &&str| percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned();
        Some((operation, arguments.iter().map(decoded).collect()))
    }

    /// Whether it changes anything.
    pub fn is_change(self) -> bool {
        !matches!(
            self,
            GetMe
                | ListEventTypes
                | GetEventType
                | ListBookings
                | GetBooking
                | GetBookingBySeat
                | ListSlots
                | GetReservation
                | ListWebhooks
                | GetWebhook
                | ListEventTypeWebhooks
                | GetEventTypeWebhook
        )
    }

    /// Whether it has a look at the diary before it changes it, and stops for gates between the two.
    pub(super) fn changes_bookings(self) -> bool {
        self.is_change() && self.family() == "/v2/bookings"
    }

    pub(crate) fn takes_a_slot(self) -> bool {
        matches!(self, CreateBooking | RescheduleBooking)
    }

    pub(crate) fn reads_bookings(self) -> bool {
        matches!(self, ListBookings | GetBooking | GetBookingBySeat)
    }

    /// Whether the attendee's browser may do it without any key. A booking's uid is then all it takes.
    pub(super) fn is_public(self) -> bool {
        matches!(
            self,
            ListEventTypes
                | CreateBooking
                | GetBooking
                | GetBookingBySeat
                | RescheduleBooking
                | CancelBooking
                | ListSlots
                | ReserveSlot
                | GetReservation
                | UpdateReservation
                | DeleteReservation
        )
    }

    /// The start of its path.
    pub(super) fn family(self) -> &'static str {
        match self {
            GetMe => "/v2/me",
            ListEventTypes | GetEventType => "/v2/event-types",
            ListSlots | ReserveSlot | GetReservation | UpdateReservation | DeleteReservation => "/v2/slots",
            ListWebhooks | CreateWebhook | GetWebhook | UpdateWebhook | DeleteWebhook => "/v2/webhooks",
            ListEventTypeWebhooks
            | CreateEventTypeWebhook
            | DeleteEventTypeWebhooks
            | GetEventTypeWebhook
            | UpdateEventTypeWebhook
            | DeleteEventTypeWebhook => "/v2/event-types/webhooks",
            _ => "/v2/bookings",
        }
    }

    /// The value of `cal-api-version` under which its family answers as documented; `None`: any.
    pub(super) fn version(self) -> Option<&'static str> {
        match self.family() {
            "/v2/bookings" => Some("2024-08-13"),
            "/v2/slots" => Some("2024-09-04"),
            "/v2/event-types" => Some("2024-06-14"),
            _ => None,
        }
    }
}

fn of_verb(verb: &str) -> Option<Operation> {
    Some(match verb {
        "reschedule" => RescheduleBooking,
        "cancel" => CancelBooking,
        "confirm" => ConfirmBooking,
        "decline" => DeclineBooking,
        "mark-absent" => MarkAbsent,
        "request-reschedule" => RequestReschedule,
        _ => return None,
    })
}

fn of_event_type_webhooks(method: &str) -> Option<Operation> {
    Some(match method {
        "GET" => ListEventTypeWebhooks,
        "POST" => CreateEventTypeWebhook,
        "DELETE" => DeleteEventTypeWebhooks,
        _ => return None,
    })
}

fn of_event_type_webhook(method: &str) -> Option<Operation> {
    Some(match method {
        "GET" => GetEventTypeWebhook,
        "PATCH" => UpdateEventTypeWebhook,
        "DELETE" => DeleteEventTypeWebhook,
        _ => return None,
    })
}
