//! What follows from a refusal, whoever remembers no more of it than its code.

use crate::words::RefusalCode;

impl RefusalCode {
    /// Whether an earlier attempt of our own, thought lost, may be what stands in the way: then the state is
    /// read before the refusal is believed.
    pub fn may_be_our_own_doing(self) -> bool {
        match self {
            Self::SlotTaken
            | Self::RaceLost
            | Self::AttendeeLimit
            | Self::NoSeats
            | Self::AlreadyCancelled
            | Self::AlreadyRescheduled
            | Self::ReservationOverlap
            | Self::Duplicate
            // What is not understood might be one of these.
            | Self::Refused => true,
            Self::OutsideBookingWindow
            | Self::AlreadyEnded
            | Self::ChangeDisabled
            | Self::ReasonRequired
            | Self::NotFound
            | Self::NotAllowed
            | Self::EmailVerification
            | Self::AttendeeBlocked
            | Self::NoHosts
            | Self::Validation => false,
        }
    }

    /// Whether this time is not to be had.
    pub fn is_about_the_time(self) -> bool {
        match self {
            Self::SlotTaken | Self::RaceLost | Self::OutsideBookingWindow | Self::NoSeats => true,
            Self::AttendeeLimit
            | Self::AlreadyCancelled
            | Self::AlreadyRescheduled
            | Self::AlreadyEnded
            | Self::ChangeDisabled
            | Self::ReasonRequired
            | Self::NotFound
            | Self::NotAllowed
            | Self::EmailVerification
            | Self::AttendeeBlocked
            | Self::NoHosts
            | Self::ReservationOverlap
            | Self::Duplicate
            | Self::Validation
            | Self::Refused => false,
        }
    }

    /// Whether how the event type is set up may be why: somebody may have edited it.
    pub fn may_be_the_event_types(self) -> bool {
        match self {
            Self::SlotTaken
            | Self::RaceLost
            | Self::AttendeeBlocked
            | Self::AttendeeLimit
            | Self::AlreadyCancelled
            | Self::AlreadyRescheduled => false,
            Self::OutsideBookingWindow
            | Self::NoSeats
            | Self::AlreadyEnded
            | Self::ChangeDisabled
            | Self::ReasonRequired
            | Self::NotFound
            | Self::NotAllowed
            | Self::EmailVerification
            | Self::NoHosts
            | Self::ReservationOverlap
            | Self::Duplicate
            | Self::Validation
            | Self::Refused => true,
        }
    }
}
