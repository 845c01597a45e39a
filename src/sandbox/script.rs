//! When something goes wrong on purpose. What goes wrong is each double's own.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde::{Deserialize, Serialize};

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

/// A line of the script: what of a double's faults `F` strikes which of its requests `O` and webhooks `T`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule<F, O, T> {
    pub fault: F,
    pub when: When,
    /// Requests concerned. Empty: every one the fault makes sense for; changes only, where it is about what
    /// happened before the answer.
    #[serde(default = "Vec::new")]
    pub on: Vec<O>,
    /// Deliveries concerned, by what they tell of. Empty: all that tell of something.
    #[serde(default = "Vec::new")]
    pub about: Vec<T>,
}

impl<F, O, T> Rule<F, O, T> {
    pub fn next(times: u32, fault: F) -> Self {
        Self::new(fault, When::Next(times))
    }

    pub fn chance(probability: f64, seed: u64, fault: F) -> Self {
        Self::new(fault, When::Chance { probability, seed })
    }

    pub fn always(fault: F) -> Self {
        Self::new(fault, When::Always)
    }

    pub fn on(self, operation: O) -> Self {
        let on = self.on.into_iter().chain([operation]).collect();
        Self { on, ..self }
    }

    pub fn about(self, told: T) -> Self {
        let about = self.about.into_iter().chain([told]).collect();
        Self { about, ..self }
    }

    fn new(fault: F, when: When) -> Self {
        Self { fault, when, on: Vec::new(), about: Vec::new() }
    }
}

pub(crate) struct Script<F, O, T> {
    lines: Mutex<Lines<F, O, T>>,
}

struct Lines<F, O, T> {
    rules: Vec<Kept<F, O, T>>,
    last_id: u64,
}

struct Kept<F, O, T> {
    id: u64,
    rule: Rule<F, O, T>,
    /// For a rule by chance.
    draws: Option<StdRng>,
}

impl<F, O, T> Default for Script<F, O, T> {
    fn default() -> Self {
        Self { lines: Mutex::new(Lines { rules: Vec::new(), last_id: 0 }) }
    }
}

impl<F: Clone, O: Clone, T: Clone> Script<F, O, T> {
    /// Returns the line's id.
    pub(crate) fn add(&self, rule: Rule<F, O, T>) -> u64 {
        let draws = match rule.when {
            When::Chance { seed, .. } => Some(StdRng::seed_from_u64(seed)),
            When::Next(_) | When::Always => None,
        };
        let mut lines = self.lines();
        lines.last_id += 1;
        let id = lines.last_id;
        lines.rules.push(Kept { id, rule, draws });
        id
    }

    /// What is left of the script, with the id of each line.
    pub(crate) fn rules(&self) -> Vec<(u64, Rule<F, O, T>)> {
        self.lines().rules.iter().map(|kept| (kept.id, kept.rule.clone())).collect()
    }

    pub(crate) fn remove(&self, id: u64) -> bool {
        let mut lines = self.lines();
        let count = lines.rules.len();
        lines.rules.retain(|kept| kept.id != id);
        lines.rules.len() < count
    }

    pub(crate) fn clear(&self) {
        self.lines().rules.clear();
    }

    /// The faults of the lines concerned that strike now; they are used up.
    pub(crate) fn strike(&self, concerns: impl Fn(&Rule<F, O, T>) -> bool) -> Vec<F> {
        let mut lines = self.lines();
        let mut struck = Vec::new();
        for Kept { rule, draws, .. } in lines.rules.iter_mut().filter(|kept| concerns(&kept.rule)) {
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
        lines.rules.retain(|kept| kept.rule.when != When::Next(0));
        struck
    }

    fn lines(&self) -> MutexGuard<'_, Lines<F, O, T>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
