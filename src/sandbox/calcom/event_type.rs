//! Event types: what can be booked with a host, and how it is shown (`cal-api-version: 2024-06-14`).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::people::User;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EventType {
    pub id: i64,
    pub owner_id: i64,
    pub slug: String,
    pub title: String,
    pub length_minutes: u32,
    #[serde(flatten)]
    pub options: EventTypeOptions,
}

/// Everything beyond slug, title and length; what is left out is as Cal.com leaves it for a new event type.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EventTypeOptions {
    pub description: String,
    /// Lengths an attendee may choose from, the default one among them.
    pub length_options_minutes: Vec<u32>,
    /// Between the starts of two slots; by default the length.
    pub slot_interval_minutes: Option<u32>,
    pub buffer_before_minutes: u32,
    pub buffer_after_minutes: u32,
    pub requires_confirmation: bool,
    /// Attendees who share one booking.
    pub seats: Option<u32>,
    pub recurrence: Option<Recurrence>,
    pub notice_minutes: u32,
    /// How many days ahead may be booked.
    pub window_days: Option<u32>,
    pub hidden: bool,
    /// Slugs of text fields without which nobody can book.
    pub required_fields: Vec<String>,
    /// Kinds of location an attendee may name, as `integration`, `phone` or `address`.
    pub locations: Vec<String>,
    /// A price makes bookings wait for [`super::Calcom::pay`].
    pub price_cents: u32,
    /// Accepted bookings to come of one attendee.
    pub attendee_booking_limit: Option<u32>,
    pub disable_cancelling: bool,
    pub disable_rescheduling: bool,
    pub requires_cancellation_reason: bool,
    /// Attendees need a code sent to them by e-mail; it is always `123456`.
    pub verifies_email: bool,
}

impl Default for EventTypeOptions {
    fn default() -> Self {
        Self {
            description: String::new(),
            length_options_minutes: Vec::new(),
            slot_interval_minutes: None,
            buffer_before_minutes: 0,
            buffer_after_minutes: 0,
            requires_confirmation: false,
            seats: None,
            recurrence: None,
            notice_minutes: 0,
            window_days: None,
            hidden: false,
            required_fields: Vec::new(),
            locations: vec!["integration".to_owned()],
            price_cents: 0,
            attendee_booking_limit: None,
            disable_cancelling: false,
            disable_rescheduling: false,
            requires_cancellation_reason: false,
            verifies_email: false,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recurrence {
    pub frequency: Frequency,
    /// Every so many weeks, months or years.
    pub interval: u32,
    pub occurrences: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Frequency {
    Weekly,
    Monthly,
    Yearly,
}

impl Recurrence {
    /// As a webhook tells it: frequency as a number of RFC 5545's order (yearly is 0).
    pub(crate) fn told(self) -> Value {
        let freq = match self.frequency {
            Frequency::Yearly => 0,
            Frequency::Monthly => 1,
            Frequency::Weekly => 2,
        };
        json!({ "freq": freq, "count": self.occurrences, "interval": self.interval })
    }
}

impl EventType {
    /// As its owner sees it.
    ///
    /// Cal.com says `{"disabled": true}` for a policy that is not set, and an object for the booking window,
    /// where its own description promises an array (output-event-types.service.ts, 2024-06-14).
    pub(crate) fn shown(&self, owner: &User) -> Value {
        let options = &self.options;
        let mut shown = json!({
            "id": self.id,
            "ownerId": self.owner_id,
            "lengthInMinutes": self.length_minutes,
            "title": self.title,
            "slug": self.slug,
            "description": options.description,
            "locations": options.locations.iter().map(|kind| location(kind)).collect::<Vec<_>>(),
            "bookingFields": self.fields(),
            "recurrence": options.recurrence,
            "disableGuests": false,
            "slotInterval": options.slot_interval_minutes,
            "minimumBookingNotice": options.notice_minutes,
            "beforeEventBuffer": options.buffer_before_minutes,
            "afterEventBuffer": options.buffer_after_minutes,
            "metadata": {},
            "price": options.price_cents,
            "currency": "eur",
        });
        let rest = json!({
            "lockTimeZoneToggleOnBookingPage": false,
            "forwardParamsSuccessRedirect": true,
            "successRedirectUrl": null,
            "isInstantEvent": false,
            "scheduleId": null,
            "bookingWindow": self.window(),
            "confirmationPolicy": self.confirmation(),
            "requiresBookerEmailVerification": options.verifies_email,
            "seats": self.seats(),
            "hidden": options.hidden,
            "bookingRequiresAuthentication": false,
            "bookerActiveBookingsLimit": self.active_limit(),
            "disableCancelling": { "disabled": options.disable_cancelling },
            "disableRescheduling": { "disabled": options.disable_rescheduling },
            "users": [{ "id": owner.id, "name": owner.name, "username": owner.username, "avatarUrl": null,
                        "weekStart": "Sunday", "metadata": {} }],
            "bookingUrl": format!("https://cal.example.com/{}/{}", owner.username, self.slug),
        });
        merge(&mut shown, rest);
        if !options.length_options_minutes.is_empty() {
            merge(&mut shown, json!({ "lengthInMinutesOptions": options.length_options_minutes }));
        }
        shown
    }

    /// As the contract of 2024-04-15 shows it.
    pub(crate) fn shown_old(&self) -> Value {
        json!({ "id": self.id, "slug": self.slug, "title": self.title, "length": self.length_minutes,
                "requiresConfirmation": self.options.requires_confirmation, "hidden": self.options.hidden,
                "seatsPerTimeSlot": self.options.seats, "schedulingType": null, "teamId": null })
    }

    /// Whether an attendee may choose the length; `None` is the default one.
    pub(crate) fn offers(&self, length_minutes: u32) -> bool {
        self.options.length_options_minutes.contains(&length_minutes)
    }

    fn fields(&self) -> Vec<Value> {
        let text = |kind: &str, slug: &str, required: bool, hidden: bool| {
            json!({ "type": kind, "slug": slug, "label": slug, "placeholder": "", "required": required,
                    "hidden": hidden, "isDefault": true, "disableOnPrefill": false })
        };
        let mut fields = vec![
            text("name", "name", true, false),
            text("email", "email", true, false),
            text("radioInput", "location", false, false),
            text("text", "title", true, true),
            text("textarea", "notes", false, false),
            text("multiemail", "guests", false, false),
            text("textarea", "rescheduleReason", false, false),
        ];
        fields.extend(self.options.required_fields.iter().map(|slug| {
            json!({ "type": "text", "slug": slug, "label": slug, "placeholder": "", "required": true,
                    "hidden": false, "isDefault": false })
        }));
        fields
    }

    fn window(&self) -> Value {
        match self.options.window_days {
            Some(days) => json!({ "type": "calendarDays", "value": days, "rolling": true }),
            None => json!({ "disabled": true }),
        }
    }

    fn confirmation(&self) -> Value {
        if self.options.requires_confirmation {
            json!({ "type": "always", "blockUnconfirmedBookingsInBooker": false })
        } else {
            json!({ "disabled": true })
        }
    }

    fn seats(&self) -> Value {
        match self.options.seats {
            Some(seats) => json!({ "seatsPerTimeSlot": seats, "showAttendeeInfo": true,
                                   "showAvailabilityCount": true }),
            None => json!({ "disabled": true }),
        }
    }

    fn active_limit(&self) -> Value {
        match self.options.attendee_booking_limit {
            Some(most) => json!({ "maximumActiveBookings": most, "offerReschedule": true }),
            None => json!({ "disabled": true }),
        }
    }
}

fn location(kind: &str) -> Value {
    match kind {
        "integration" => json!({ "type": kind, "integration": "cal-video" }),
        "phone" => json!({ "type": kind, "phone": "+493023125000", "public": true }),
        "address" => json!({ "type": kind, "address": "Musterstraße 1, 10115 Berlin", "public": true }),
        "link" => json!({ "type": kind, "link": "https://meet.example.org/room", "public": true }),
        _ => json!({ "type": kind }),
    }
}

/// Adds the keys of one object to another.
pub(crate) fn merge(object: &mut Value, more: Value) {
    if let (Value::Object(object), Value::Object(more)) = (object, more) {
        object.extend(more);
    }
}

/// An object of many keys; `json!` recurses per key.
pub(crate) fn object<const N: usize>(pairs: [(&str, Value); N]) -> Map<String, Value> {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}
