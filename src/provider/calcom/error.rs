//! What Cal.com refuses.

use std::fmt;

use crate::{
    provider::call::{self, Refuses},
    words::RefusalCode,
};

/// Why a call to Cal.com failed.
pub type CallError = call::CallError<Refusal>;

/// What the provider refused. There is no stable code for most of them: they are told apart by status and
/// fragments of the message, so after a refused booking the state is read again before anything is concluded.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the slot is taken or nobody is available then")]
    SlotTaken,
    /// Cal.com's own race between two inserts of one slot.
    #[error("somebody else took the slot at the same moment")]
    RaceLost,
    #[error("the time is in the past, too soon or too far ahead for this event type")]
    OutsideBookingWindow,
    #[error("the attendee has as many active bookings as the event type allows")]
    AttendeeLimit,
    #[error("no seats are left")]
    NoSeats,
    /// Also what an earlier, successful attempt leaves behind, and what a moved booking's old uid says.
    #[error("the booking is cancelled already")]
    AlreadyCancelled,
    #[error("the booking was moved already")]
    AlreadyRescheduled {
        /// The uid of the booking it became. Whoever knows a uid can change the booking: keep it out of logs.
        successor: Option<String>,
    },
    #[error("the booking is over")]
    AlreadyEnded,
    #[error("the event type does not allow this change")]
    ChangeDisabled,
    #[error("the host must give a reason")]
    ReasonRequired,
    #[error("no such booking or event type")]
    NotFound,
    /// The credential is fine, the record is somebody else's.
    #[error("the record belongs to another user of the provider")]
    NotAllowed,
    #[error("the event type wants the attendee's e-mail address verified")]
    EmailVerification,
    #[error("the attendee may not book")]
    AttendeeBlocked,
    #[error("the event type has no hosts")]
    NoHosts,
    #[error("the slot is reserved by somebody else")]
    ReservationOverlap,
    #[error("there is one already")]
    Duplicate,
    #[error("the provider does not accept what was sent")]
    Validation {
        /// Names of fields as the provider spells them, letters, digits, dots, dashes and underscores only.
        fields: Vec<String>,
    },
    #[error("the provider refused (HTTP status {status})")]
    Other { status: u16 },
}

impl Refuses for Refusal {
    const PROVIDER: &'static str = super::PROVIDER;

    fn reason(&self) -> &'static str {
        self.reason()
    }
}

impl Refusal {
    /// What rows and answers keep of it.
    pub fn code(&self) -> RefusalCode {
        match self {
            Self::SlotTaken => RefusalCode::SlotTaken,
            Self::RaceLost => RefusalCode::RaceLost,
            Self::OutsideBookingWindow => RefusalCode::OutsideBookingWindow,
            Self::AttendeeLimit => RefusalCode::AttendeeLimit,
            Self::NoSeats => RefusalCode::NoSeats,
            Self::AlreadyCancelled => RefusalCode::AlreadyCancelled,
            Self::AlreadyRescheduled { .. } => RefusalCode::AlreadyRescheduled,
            Self::AlreadyEnded => RefusalCode::AlreadyEnded,
            Self::ChangeDisabled => RefusalCode::ChangeDisabled,
            Self::ReasonRequired => RefusalCode::ReasonRequired,
            Self::NotFound => RefusalCode::NotFound,
            Self::NotAllowed => RefusalCode::NotAllowed,
            Self::EmailVerification => RefusalCode::EmailVerification,
            Self::AttendeeBlocked => RefusalCode::AttendeeBlocked,
            Self::NoHosts => RefusalCode::NoHosts,
            Self::ReservationOverlap => RefusalCode::ReservationOverlap,
            Self::Duplicate => RefusalCode::Duplicate,
            Self::Validation { .. } => RefusalCode::Validation,
            Self::Other { .. } => RefusalCode::Refused,
        }
    }

    /// The same as a text.
    pub fn reason(&self) -> &'static str {
        self.code().as_str()
    }

    /// As of its code.
    pub fn may_be_our_own_doing(&self) -> bool {
        self.code().may_be_our_own_doing()
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Validation { fields } => write!(f, "VALIDATION {fields:?}"),
            Self::Other { status } => write!(f, "REFUSED {status}"),
            _ => f.write_str(self.reason()),
        }
    }
}
