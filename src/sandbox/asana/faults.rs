//! What goes wrong on purpose.

use serde::{Deserialize, Serialize};

use super::api::Operation;
use super::event::Action;
use super::refusal::Refusal;
use crate::sandbox::script;
pub use crate::sandbox::script::When;

pub type Rule = script::Rule<Fault, Operation, Action>;
pub(crate) type Script = script::Script<Fault, Operation, Action>;

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
    /// Refused before anything happens; 502 to 504 with a page of the balancer's.
    ErrorBefore {
        status: u16,
    },
    /// The change happens, and this is answered.
    ErrorAfter {
        status: u16,
    },
    /// Any refusal at all, before anything happens.
    Refused {
        refusal: Refusal,
    },
    /// 429, whatever the limits say.
    Throttled {
        retry_after_seconds: u32,
    },
    /// The answer takes this much longer.
    AnswerDelayed {
        millis: u64,
    },
    /// The answer ends in the middle.
    Truncated,
    /// The next page's `uri` and `path` lead elsewhere; its offset is right.
    StrayNextPage,
    /// The offset is refused, as one that is too old.
    OffsetExpired,
    /// 412 with a fresh token, as under load.
    SyncTokenExpired,
    /// A webhook's handshake is not made, and its creation fails.
    HandshakeLost,
    /// The handshake comes twice.
    HandshakeTwice,
    /// A delivery never comes, and Asana believes it did.
    WebhookLost,
    WebhookTwice,
    /// Held back until the next one to the same subscription has passed.
    WebhookPassed,
    /// Sent this much later, by the double's clock.
    WebhookLate {
        seconds: u32,
    },
    /// Held back until [`super::Asana::release_webhooks`].
    WebhookHeld,
    /// Sent without a signature.
    WebhookUnsigned,
}

impl Rule {
    fn concerns(&self, operation: Operation) -> bool {
        let makes_sense = match self.fault {
            Fault::AnswerLost { .. } | Fault::ErrorAfter { .. } => {
                operation.is_change() || self.on.contains(&operation)
            }
            Fault::Reset
            | Fault::ErrorBefore { .. }
            | Fault::Refused { .. }
            | Fault::Throttled { .. }
            | Fault::AnswerDelayed { .. }
            | Fault::Truncated => true,
            Fault::StrayNextPage | Fault::OffsetExpired => operation.is_list(),
            Fault::SyncTokenExpired => operation == Operation::GetEvents,
            Fault::HandshakeLost | Fault::HandshakeTwice => operation == Operation::CreateWebhook,
            Fault::WebhookLost
            | Fault::WebhookTwice
            | Fault::WebhookPassed
            | Fault::WebhookLate { .. }
            | Fault::WebhookHeld
            | Fault::WebhookUnsigned => false,
        };
        makes_sense && (self.on.is_empty() || self.on.contains(&operation))
    }

    fn is_about(&self, actions: &[Action]) -> bool {
        let is_webhook = matches!(
            self.fault,
            Fault::WebhookLost
                | Fault::WebhookTwice
                | Fault::WebhookPassed
                | Fault::WebhookLate { .. }
                | Fault::WebhookHeld
                | Fault::WebhookUnsigned
        );
        is_webhook && (self.about.is_empty() || self.about.iter().any(|action| actions.contains(action)))
    }
}

impl Script {
    /// The faults that strike this request; they are used up.
    pub(crate) fn of_request(&self, operation: Operation) -> Vec<Fault> {
        self.strike(|rule| rule.concerns(operation))
    }

    /// The faults that strike a delivery with events of these actions; they are used up.
    pub(crate) fn of_webhook(&self, actions: &[Action]) -> Vec<Fault> {
        self.strike(|rule| rule.is_about(actions))
    }
}
