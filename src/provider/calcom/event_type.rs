//! Event types: what can be booked. Version 2024-06-14.

use serde_json::Value;

use super::Calcom;
use super::call::Call;
use super::error::{CallError, Refusal};
use crate::provider::fields::Fields;

const VERSION: &str = "2024-06-14";

/// An event type as its owner sees it. Any of it may be edited later: refresh it daily and after a refusal.
#[derive(Clone, Debug, PartialEq)]
pub struct EventType {
    pub id: i64,
    pub slug: String,
    pub title: String,
    pub description: Option<String>,
    pub length_minutes: u32,
    /// The lengths to choose from; a booking may name one only if there are any.
    pub length_options: Vec<u32>,
    pub owner_id: Option<i64>,
    pub team_id: Option<i64>,
    pub confirmation: Confirmation,
    /// Some for event types that several attendees share.
    pub seats_per_slot: Option<u32>,
    pub is_recurring: bool,
    /// In the currency's smallest unit.
    pub price: i64,
    pub currency: Option<String>,
    pub minimum_notice_minutes: Option<u32>,
    pub before_buffer_minutes: Option<u32>,
    pub after_buffer_minutes: Option<u32>,
    pub booking_fields: Vec<BookingField>,
    pub is_hidden: bool,
    /// Only owner, hosts and admins may book.
    pub requires_authentication: bool,
    pub requires_email_verification: bool,
    pub cancelling_disabled: bool,
    pub rescheduling_disabled: bool,
    /// The parent of a managed event type: not bookable itself, its members' copies are.
    pub is_managed_parent: bool,
}

/// When a booking must be confirmed by the host. A booking that waits is pending and occupies nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmation {
    Never,
    Always,
    /// Only with little notice.
    ShortNotice,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookingField {
    pub slug: String,
    /// As in `text`, `select`, `phone`.
    pub kind: String,
    pub label: Option<String>,
    pub is_required: bool,
    pub is_hidden: bool,
    /// Name, e-mail and the like, which a booking answers by itself.
    pub is_default: bool,
}

/// What keeps an event type from being booked for somebody else, or its bookings from being kept in step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    EmailVerification,
    Payment,
    Seats,
    Recurrence,
    ManagedParent,
    CancellingDisabled,
    ReschedulingDisabled,
}

impl Calcom<'_> {
    /// All event types of a user, by the `username` of [`me`](Self::me).
    pub async fn event_types(&self, username: &str) -> Result<Vec<EventType>, CallError> {
        let call = Call::get(&["event-types"]).version(VERSION).query("username", username);
        let answer = self.call(call).await?;
        let found: Option<Vec<EventType>> = answer.list()?.iter().map(EventType::of).collect();
        found.ok_or_else(|| answer.unfit("data[].id"))
    }

    /// None when there is no such event type, or it is not the credential's to see.
    pub async fn event_type(&self, id: i64) -> Result<Option<EventType>, CallError> {
        let id = id.to_string();
        match self.call(Call::get(&["event-types", id.as_str()]).version(VERSION)).await {
            Ok(answer) => EventType::of(answer.data()?).map(Some).ok_or_else(|| answer.unfit("data.id")),
            Err(CallError::Refused(Refusal::NotFound | Refusal::NotAllowed)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl EventType {
    fn of(value: &Value) -> Option<Self> {
        let fields = Fields::of(value)?;
        let is_disabled =
            |name| fields.object(name).and_then(|rule| rule.flag("disabled")).unwrap_or_default();
        let seats = fields.object("seats").and_then(|seats| seats.count("seatsPerTimeSlot"));
        let lengths = fields.list("lengthInMinutesOptions").iter();
        Some(Self {
            id: fields.int("id")?,
            slug: fields.text("slug")?,
            title: fields.text("title").or_else(|| fields.text("slug"))?,
            description: fields.text("description"),
            length_minutes: fields.count("lengthInMinutes")?,
            length_options: lengths.filter_map(|length| length.as_u64()?.try_into().ok()).collect(),
            owner_id: fields.int("ownerId"),
            team_id: fields.int("teamId"),
            confirmation: Confirmation::of(fields.object("confirmationPolicy")),
            seats_per_slot: seats.or_else(|| fields.count("seatsPerTimeSlot")),
            is_recurring: fields.object("recurrence").is_some_and(|rule| rule.get("frequency").is_some()),
            price: fields.int("price").unwrap_or_default(),
            currency: fields.text("currency"),
            minimum_notice_minutes: fields.count("minimumBookingNotice"),
            before_buffer_minutes: fields.count("beforeEventBuffer"),
            after_buffer_minutes: fields.count("afterEventBuffer"),
            booking_fields: fields.list("bookingFields").iter().filter_map(BookingField::of).collect(),
            is_hidden: fields.flag("hidden").unwrap_or_default(),
            requires_authentication: fields.flag("bookingRequiresAuthentication").unwrap_or_default(),
            requires_email_verification: fields.flag("requiresBookerEmailVerification").unwrap_or_default(),
            cancelling_disabled: is_disabled("disableCancelling"),
            rescheduling_disabled: is_disabled("disableRescheduling"),
            is_managed_parent: fields
                .text("schedulingType")
                .is_some_and(|kind| kind.eq_ignore_ascii_case("managed"))
                && fields.int("parentEventTypeId").is_none(),
        })
    }

    /// What speaks against keeping this event type in step; empty when nothing does.
    pub fn obstacles(&self) -> Vec<Obstacle> {
        [
            (Obstacle::EmailVerification, self.requires_email_verification),
            (Obstacle::Payment, self.price > 0),
            (Obstacle::Seats, self.seats_per_slot.is_some()),
            (Obstacle::Recurrence, self.is_recurring),
            (Obstacle::ManagedParent, self.is_managed_parent),
            (Obstacle::CancellingDisabled, self.cancelling_disabled),
            (Obstacle::ReschedulingDisabled, self.rescheduling_disabled),
        ]
        .into_iter()
        .filter_map(|(obstacle, stands)| stands.then_some(obstacle))
        .collect()
    }

    /// The event type's own questions that every booking must answer.
    pub fn required_fields(&self) -> impl Iterator<Item = &BookingField> {
        self.booking_fields.iter().filter(|field| field.is_required && !field.is_default)
    }
}

impl Confirmation {
    fn of(policy: Option<Fields<'_>>) -> Self {
        match policy.filter(|policy| policy.flag("disabled") != Some(true)).and_then(|of| of.text("type")) {
            None => Self::Never,
            Some(kind) if kind == "time" => Self::ShortNotice,
            Some(_) => Self::Always,
        }
    }
}

impl BookingField {
    fn of(value: &Value) -> Option<Self> {
        let fields = Fields::of(value)?;
        Some(Self {
            slug: fields.text("slug")?,
            kind: fields.text("type").unwrap_or_default(),
            label: fields.text("label"),
            is_required: fields.flag("required").unwrap_or_default(),
            is_hidden: fields.flag("hidden").unwrap_or_default(),
            is_default: fields.flag("isDefault").unwrap_or_default(),
        })
    }
}
