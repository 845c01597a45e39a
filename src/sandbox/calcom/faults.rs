//! What goes wrong on purpose, and when.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde::{Deserialize, Serialize};

use super::api::Operation;
use super::refusal::Refusal;
use super::webhook::Trigger;

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

/// How often.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// The next so many times.
    Next(u32),
    /// Each time with this probability, the same draws for the same seed.
    Chance {
        probability: f64,
        seed: u64,
    },
    Always,
}

/// A line of the script.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    pub fault: Fault,
    pub when: When,
    /// Requests concerned. Empty: every one the fault makes sense for; changes only, where it is about what
    /// happened before the answer.
    #[serde(default)]
    pub on: Vec<Operation>,
    /// Webhooks concerned; empty: all.
    #[serde(default)]
    pub about: Vec<Trigger>,
}

impl Rule {
    pub fn next(times: u32, fault: Fault) -> Self {
        Self::new(fault, When::Next(times))
    }

    pub fn chance(probability: f64, seed: u64, fault: Fault) -> Self {
        Self::new(fault, When::Chance { probability, seed })
    }

    pub fn always(fault: Fault) -> Self {
        Self::new(fault, When::Always)
    }

    pub fn on(self, operation: Operation) -> Self {
        let on = self.on.into_iter().chain([operation]).collect();
        Self { on, ..self }
    }

    pub fn about(self, trigger: Trigger) -> Self {
        let about = self.about.into_iter().chain([trigger]).collect();
        Self { about, ..self }
    }

    fn new(fault: Fault, when: When) -> Self {
        Self { fault, when, on: Vec::new(), about: Vec::new() }
    }

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

#[derive(Default)]
pub(crate) struct Script {
    lines: Mutex<Lines>,
}

#[derive(Default)]
struct Lines {
    rules: Vec<(u64, Rule, Option<StdRng>)>,
    last_id: u64,
}

impl Script {
    pub(crate) fn add(&self, rule: Rule) -> u64 {
        let draws = match rule.when {
            When::Chance { seed, .. } => Some(StdRng::seed_from_u64(seed)),
            When::Next(_) | When::Always => None,
        };
        let mut lines = self.lines();
        lines.last_id += 1;
        let id = lines.last_id;
        lines.rules.push((id, rule, draws));
        id
    }

    /// What is left of the script, with the id of each line.
    pub(crate) fn rules(&self) -> Vec<(u64, Rule)> {
        self.lines().rules.iter().map(|(id, rule, _)| (*id, rule.clone())).collect()
    }

    pub(crate) fn remove(&self, id: u64) -> bool {
        let mut lines = self.lines();
        let count = lines.rules.len();
        lines.rules.retain(|(one, ..)| *one != id);
        lines.rules.len() < count
    }

    pub(crate) fn clear(&self) {
        self.lines().rules.clear();
    }

    /// The faults that strike this request; they are used up.
    pub(crate) fn of_request(&self, operation: Operation) -> Vec<Fault> {
        self.strike(|rule| rule.concerns(operation))
    }

    /// The faults that strike this delivery; they are used up.
    pub(crate) fn of_webhook(&self, trigger: Trigger) -> Vec<Fault> {
        self.strike(|rule| rule.is_about(trigger))
    }

    fn strike(&self, concerns: impl Fn(&Rule) -> bool) -> Vec<Fault> {
        let mut lines = self.lines();
        let mut struck = Vec::new();
        for (_, rule, draws) in lines.rules.iter_mut().filter(|(_, rule, _)| concerns(rule)) {
            let strikes = match (&mut rule.when, draws) {
                (When::Next(left), _) => std::mem::replace(left, left.saturating_sub(1)) > 0,
                (When::Chance { probability, .. }, Some(draws)) => draws.random::<f64>() < *probability,
                (When::Chance { .. }, None) => false,
                (When::Always, _) => true,
            };
            if strikes {
                struck.push(rule.fault.clone());
            }
        }
        lines.rules.retain(|(_, rule, _)| rule.when != When::Next(0));
        struck
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
