//! What goes wrong on purpose, and when.

use serde::{Deserialize, Serialize};

use super::api::Operation;
use super::refusal::Refusal;
use super::webhook::Trigger;
use crate::sandbox::script;
pub use crate::sandbox::script::When;

pub type Rule = script::Rule<Fault, Operation, Trigger>;
pub(crate) type Script = script::Script<Fault, Operation, Trigger>;

/// One thing that goes wrong. The first group concerns requests, the second webhooks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fault {
    /// The change happens, the answer does not come: the connection closes, or is held until the caller
    /// gives up.
    AnswerLost {
        #[serde(default)]
        hold: bool,
    },
    /// The connection is reset before anything happens.
    Reset,
    /// Refused before anything happens, in envelope B.
    ErrorBefore {
        status: u16,
    },
    /// The change happens, and this is answered.
    ErrorAfter {
        status: u16,
    },
    /// Any refusal at all, before anything happens; for those the double has no rule for, as of team events.
    Refused {
        refusal: Refusal,
    },
    /// 429, whatever the limits say.
    Throttled {
        #[serde(default)]
        retry_after_seconds: Option<u32>,
    },
    /// Another attendee takes the same time between the look and the insert.
    LostRace,
    /// A read shows the bookings as they were before the last change.
    StaleRead,
    /// The answer takes this much longer.
    AnswerDelayed {
        millis: u64,
    },
    WebhookLost,
    WebhookTwice,
    /// Held back until the next one to the same subscription has passed.
    WebhookPassed,
    /// Sent this much later, without anybody waiting for it.
    WebhookDelayed {
        millis: u64,
    },
    /// Held back until [`super::Calcom::release_webhooks`].
    WebhookHeld,
}

impl Rule {
    fn concerns(&self, operation: Operation) -> bool {
        let makes_sense = match self.fault {
            Fault::LostRace => operation.takes_a_slot(),
            Fault::StaleRead => operation.reads_bookings(),
            Fault::AnswerLost { .. } | Fault::ErrorAfter { .. } => {
                operation.is_change() || self.on.contains(&operation)
            }
            Fault::Reset
            | Fault::ErrorBefore { .. }
            | Fault::Refused { .. }
            | Fault::Throttled { .. }
            | Fault::AnswerDelayed { .. } => true,
            _ => false,
        };
        makes_sense && (self.on.is_empty() || self.on.contains(&operation))
    }

    fn is_about(&self, trigger: Trigger) -> bool {
        let is_webhook = matches!(
            self.fault,
            Fault::WebhookLost
                | Fault::WebhookTwice
                | Fault::WebhookPassed
                | Fault::WebhookDelayed { .. }
                | Fault::WebhookHeld
        );
        is_webhook && (self.about.is_empty() || self.about.contains(&trigger))
    }
}

impl Script {
    /// The faults that strike this request; they are used up.
    pub(crate) fn of_request(&self, operation: Operation) -> Vec<Fault> {
        self.strike(|rule| rule.concerns(operation))
    }

    /// The faults that strike this delivery; they are used up.
    pub(crate) fn of_webhook(&self, trigger: Trigger) -> Vec<Fault> {
        self.strike(|rule| rule.is_about(trigger))
    }
}
