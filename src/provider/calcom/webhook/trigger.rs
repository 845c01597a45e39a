//! What made Cal.com call.

use crate::provider::{fields::text, names::names};

const MAX_NAME_CHARS: usize = 100;

/// The API's enumeration of 2026-03-11, and what the test button sends.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// A booking was made, or a pending one confirmed or paid: not necessarily new.
    BookingCreated,
    /// A booking, or a move, waits for confirmation. A moved booking is cancelled already.
    BookingRequested,
    /// A move that is confirmed at once: `uid` is the new booking, `reschedule_uid` the old one.
    BookingRescheduled,
    /// A cancellation; also one seat's, a series' (once, for one uid), and a host's wish for a new time.
    BookingCancelled,
    /// A pending booking was declined.
    BookingRejected,
    BookingPaymentInitiated,
    BookingPaid,
    /// An attendee was marked absent, or no longer so.
    BookingNoShowUpdated,
    /// By the clock, with a snapshot taken when the booking was made.
    MeetingStarted,
    MeetingEnded,
    InstantMeeting,
    /// What Cal Video observed.
    AfterHostsCalVideoNoShow,
    AfterGuestsCalVideoNoShow,
    RecordingReady,
    RecordingTranscriptionGenerated,
    /// Somebody thinks a booking went to the wrong host.
    WrongAssignmentReport,
    OooCreated,
    FormSubmitted,
    FormSubmittedNoEvent,
    RoutingFormFallbackHit,
    /// A calendar cannot be read any more: Cal.com does not see its appointments as conflicts.
    DelegationCredentialError,
    /// The test button.
    Ping,
    /// Without control characters, at most 100 characters.
    Other(String),
}

/// What to do with an authentic delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Handling {
    /// It may change an appointment.
    Act,
    /// It is kept and changes nothing.
    Record,
    /// It is counted; its body, which is about other people or opens recordings, is not kept.
    Ignore,
}

/// What our own subscriptions ask for: whatever can happen to a booking. Cal.com's video, routing and absence
/// triggers are left out: they carry more than we need to know.
pub const SUBSCRIBED_TRIGGERS: &[Trigger] = &[
    Trigger::BookingCreated,
    Trigger::BookingRequested,
    Trigger::BookingRescheduled,
    Trigger::BookingCancelled,
    Trigger::BookingRejected,
    Trigger::BookingPaymentInitiated,
    Trigger::BookingPaid,
    Trigger::BookingNoShowUpdated,
    Trigger::MeetingStarted,
    Trigger::MeetingEnded,
];

names! {
    Trigger {
        BookingCreated = "BOOKING_CREATED",
        BookingRequested = "BOOKING_REQUESTED",
        BookingRescheduled = "BOOKING_RESCHEDULED",
        BookingCancelled = "BOOKING_CANCELLED",
        BookingRejected = "BOOKING_REJECTED",
        BookingPaymentInitiated = "BOOKING_PAYMENT_INITIATED",
        BookingPaid = "BOOKING_PAID",
        BookingNoShowUpdated = "BOOKING_NO_SHOW_UPDATED",
        MeetingStarted = "MEETING_STARTED",
        MeetingEnded = "MEETING_ENDED",
        InstantMeeting = "INSTANT_MEETING",
        AfterHostsCalVideoNoShow = "AFTER_HOSTS_CAL_VIDEO_NO_SHOW",
        AfterGuestsCalVideoNoShow = "AFTER_GUESTS_CAL_VIDEO_NO_SHOW",
        RecordingReady = "RECORDING_READY",
        RecordingTranscriptionGenerated = "RECORDING_TRANSCRIPTION_GENERATED",
        WrongAssignmentReport = "WRONG_ASSIGNMENT_REPORT",
        OooCreated = "OOO_CREATED",
        FormSubmitted = "FORM_SUBMITTED",
        FormSubmittedNoEvent = "FORM_SUBMITTED_NO_EVENT",
        RoutingFormFallbackHit = "ROUTING_FORM_FALLBACK_HIT",
        DelegationCredentialError = "DELEGATION_CREDENTIAL_ERROR",
        Ping = "PING",
    } else Other(keepable)
}

fn keepable(name: &str) -> String {
    text(name).unwrap_or_default().chars().filter(|c| *c != '\n').take(MAX_NAME_CHARS).collect()
}

impl Trigger {
    pub fn handling(&self) -> Handling {
        match self {
            Self::BookingCreated
            | Self::BookingRequested
            | Self::BookingRescheduled
            | Self::BookingCancelled
            | Self::BookingRejected
            // An attendee marked absent by somebody who was there.
            | Self::BookingNoShowUpdated
            // The only word that an appointment took place; the body is old, so only its uid counts.
            | Self::MeetingEnded => Handling::Act,
            // A paid booking is announced as created, too.
            Self::BookingPaymentInitiated
            | Self::BookingPaid
            | Self::MeetingStarted
            // Becomes a booking of its own when a host joins.
            | Self::InstantMeeting
            // Who was in a video call is an observation, not a mark.
            | Self::AfterHostsCalVideoNoShow
            | Self::AfterGuestsCalVideoNoShow
            | Self::WrongAssignmentReport
            | Self::DelegationCredentialError
            | Self::Ping
            // Newer than this list: worth knowing about.
            | Self::Other(_) => Handling::Record,
            // Links that open a recording for whoever has them.
            Self::RecordingReady
            | Self::RecordingTranscriptionGenerated
            // Absences and routing forms have no booking.
            | Self::OooCreated
            | Self::FormSubmitted
            | Self::FormSubmittedNoEvent
            | Self::RoutingFormFallbackHit => Handling::Ignore,
        }
    }

    /// Whether the trigger is about one booking.
    pub fn is_about_a_booking(&self) -> bool {
        match self {
            Self::OooCreated
            | Self::FormSubmitted
            | Self::FormSubmittedNoEvent
            | Self::RoutingFormFallbackHit
            | Self::DelegationCredentialError
            | Self::Ping
            | Self::Other(_) => false,
            Self::BookingCreated
            | Self::BookingRequested
            | Self::BookingRescheduled
            | Self::BookingCancelled
            | Self::BookingRejected
            | Self::BookingPaymentInitiated
            | Self::BookingPaid
            | Self::BookingNoShowUpdated
            | Self::MeetingStarted
            | Self::MeetingEnded
            | Self::InstantMeeting
            | Self::AfterHostsCalVideoNoShow
            | Self::AfterGuestsCalVideoNoShow
            | Self::RecordingReady
            | Self::RecordingTranscriptionGenerated
            | Self::WrongAssignmentReport => true,
        }
    }
}
