//! Between the words of reviews and dead letters and their wire types.

use crate::{
    proto,
    words::{MessageKind, Resolution, ReviewKind, ReviewState},
};

/// A kind that a request names; unspecified is none.
pub(super) fn kind(kind: proto::ReviewKind) -> Option<ReviewKind> {
    Some(match kind {
        proto::ReviewKind::Unspecified => return None,
        proto::ReviewKind::RequiresManualReview => ReviewKind::RequiresManualReview,
        proto::ReviewKind::Conflict => ReviewKind::Conflict,
        proto::ReviewKind::EditedOnBothSides => ReviewKind::EditedOnBothSides,
        proto::ReviewKind::Unmatched => ReviewKind::Unmatched,
        proto::ReviewKind::DeletionsOverGuard => ReviewKind::DeletionsOverGuard,
    })
}

/// A state that a request names; unspecified is none.
pub(super) fn state(state: proto::ReviewState) -> Option<ReviewState> {
    Some(match state {
        proto::ReviewState::Unspecified => return None,
        proto::ReviewState::Open => ReviewState::Open,
        proto::ReviewState::Resolved => ReviewState::Resolved,
    })
}

/// What a person can decide; that something went away by itself nobody can.
pub(super) fn decision(resolution: proto::Resolution) -> Option<Resolution> {
    Some(match resolution {
        proto::Resolution::Unspecified | proto::Resolution::Settled => return None,
        proto::Resolution::Retry => Resolution::Retry,
        proto::Resolution::AcceptTheirs => Resolution::AcceptTheirs,
        proto::Resolution::AcceptOurs => Resolution::AcceptOurs,
        proto::Resolution::Dismiss => Resolution::Dismiss,
    })
}

/// A message's kind that a request names; unspecified is none.
pub(super) fn message_kind(kind: proto::MessageKind) -> Option<MessageKind> {
    Some(match kind {
        proto::MessageKind::Unspecified => return None,
        proto::MessageKind::WebhookEventRetry => MessageKind::WebhookEventRetry,
        proto::MessageKind::PatientImport => MessageKind::PatientImport,
        proto::MessageKind::AppointmentPush => MessageKind::AppointmentPush,
        proto::MessageKind::BookingRefresh => MessageKind::BookingRefresh,
        proto::MessageKind::SyncRun => MessageKind::SyncRun,
        proto::MessageKind::Reconcile => MessageKind::Reconcile,
        proto::MessageKind::SubscriptionCheck => MessageKind::SubscriptionCheck,
        proto::MessageKind::Disconnect => MessageKind::Disconnect,
        proto::MessageKind::AlertDelivery => MessageKind::AlertDelivery,
        proto::MessageKind::CredentialRefresh => MessageKind::CredentialRefresh,
        proto::MessageKind::PlanningRefresh => MessageKind::PlanningRefresh,
        proto::MessageKind::PhasePush => MessageKind::PhasePush,
    })
}

impl From<ReviewKind> for proto::ReviewKind {
    fn from(kind: ReviewKind) -> Self {
        match kind {
            ReviewKind::RequiresManualReview => Self::RequiresManualReview,
            ReviewKind::Conflict => Self::Conflict,
            ReviewKind::EditedOnBothSides => Self::EditedOnBothSides,
            ReviewKind::Unmatched => Self::Unmatched,
            ReviewKind::DeletionsOverGuard => Self::DeletionsOverGuard,
        }
    }
}

impl From<ReviewState> for proto::ReviewState {
    fn from(state: ReviewState) -> Self {
        match state {
            ReviewState::Open => Self::Open,
            ReviewState::Resolved => Self::Resolved,
        }
    }
}

impl From<Resolution> for proto::Resolution {
    fn from(resolution: Resolution) -> Self {
        match resolution {
            Resolution::Retry => Self::Retry,
            Resolution::AcceptTheirs => Self::AcceptTheirs,
            Resolution::AcceptOurs => Self::AcceptOurs,
            Resolution::Dismiss => Self::Dismiss,
            Resolution::Settled => Self::Settled,
        }
    }
}

impl From<MessageKind> for proto::MessageKind {
    fn from(kind: MessageKind) -> Self {
        match kind {
            MessageKind::WebhookEventRetry => Self::WebhookEventRetry,
            MessageKind::PatientImport => Self::PatientImport,
            MessageKind::AppointmentPush => Self::AppointmentPush,
            MessageKind::BookingRefresh => Self::BookingRefresh,
            MessageKind::SyncRun => Self::SyncRun,
            MessageKind::Reconcile => Self::Reconcile,
            MessageKind::SubscriptionCheck => Self::SubscriptionCheck,
            MessageKind::Disconnect => Self::Disconnect,
            MessageKind::AlertDelivery => Self::AlertDelivery,
            MessageKind::CredentialRefresh => Self::CredentialRefresh,
            MessageKind::PlanningRefresh => Self::PlanningRefresh,
            MessageKind::PhasePush => Self::PhasePush,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_survives_the_wire() {
        for word in ReviewKind::ALL {
            assert_eq!(kind((*word).into()), Some(*word));
        }
        for word in ReviewState::ALL {
            assert_eq!(state((*word).into()), Some(*word));
        }
        for word in MessageKind::ALL {
            assert_eq!(message_kind((*word).into()), Some(*word));
        }
    }

    #[test]
    fn nobody_decides_that_something_went_away_by_itself() {
        for word in Resolution::ALL {
            let expected = Some(*word).filter(|word| *word != Resolution::Settled);
            assert_eq!(decision((*word).into()), expected);
        }
    }
}
