//! What Asana refuses.

use crate::provider::call::{self, Refuses};

/// Why a call to Asana failed.
pub type CallError = call::CallError<Refusal>;

/// What the provider refused. There are no codes: the status tells these apart, and in two places a fragment
/// of the message, which is a hint and no more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Status 400: a parameter or value that it does not take; also an offset that expired, a result set that
    /// is too large, and a webhook whose handshake failed.
    #[error("the provider does not accept what was sent")]
    Invalid,
    /// Status 400 with the wording for a custom field that none of the task's projects has. Another wording
    /// of the same reads as [`Refusal::Invalid`].
    #[error("the custom field is not on this task")]
    FieldNotOnTask,
    /// Status 402.
    #[error("the workspace's plan does not include this")]
    PlanLimit,
    /// Status 403: not seen or not written by this user, a locked custom field, a missing scope, a webhook
    /// target it does not call.
    #[error("the user who granted access may not do this")]
    NotAllowed,
    /// Status 403 with the wording for a webhook that exists: same user, resource and target.
    #[error("there is one already")]
    Duplicate,
    /// 404, 410. Deleted, never there, or out of this user's sight.
    #[error("no such record")]
    NotFound,
    /// 412 on anything but events.
    #[error("the provider's condition is not met")]
    Precondition,
    /// 451. The operator's to solve: the address we call from is embargoed.
    #[error("the provider is not available here for legal reasons")]
    LegalBlock,
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
    /// A code for rows and answers.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Invalid => "VALIDATION",
            Self::FieldNotOnTask => "FIELD_NOT_ON_TASK",
            Self::PlanLimit => "PLAN_LIMIT",
            Self::NotAllowed => "NOT_ALLOWED",
            Self::Duplicate => "DUPLICATE",
            Self::NotFound => "NOT_FOUND",
            Self::Precondition => "PRECONDITION",
            Self::LegalBlock => "LEGAL_BLOCK",
            Self::Other { .. } => "REFUSED",
        }
    }
}
