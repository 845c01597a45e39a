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

/// A line of a script: what goes wrong, how often, and with what.
pub(crate) trait Line: Clone {
    fn when(&mut self) -> &mut When;
}

pub(crate) struct Script<L> {
    lines: Mutex<Lines<L>>,
}

struct Lines<L> {
    rules: Vec<(u64, L, Option<StdRng>)>,
    last_id: u64,
}

impl<L> Default for Script<L> {
    fn default() -> Self {
        Self { lines: Mutex::new(Lines { rules: Vec::new(), last_id: 0 }) }
    }
}

impl<L: Line> Script<L> {
    pub(crate) fn add(&self, mut rule: L) -> u64 {
        let draws = match rule.when() {
            When::Chance { seed, .. } => Some(StdRng::seed_from_u64(*seed)),
            When::Next(_) | When::Always => None,
        };
        let mut lines = self.lines();
        lines.last_id += 1;
        let id = lines.last_id;
        lines.rules.push((id, rule, draws));
        id
    }

    /// What is left of the script, with the id of each line.
    pub(crate) fn rules(&self) -> Vec<(u64, L)> {
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

    /// The lines of those concerned that strike now; they are used up.
    pub(crate) fn strike(&self, concerns: impl Fn(&L) -> bool) -> Vec<L> {
        let mut lines = self.lines();
        let mut struck = Vec::new();
        for (_, rule, draws) in lines.rules.iter_mut().filter(|(_, rule, _)| concerns(rule)) {
            let strikes = match (rule.when(), draws) {
                (When::Next(left), _) => std::mem::replace(left, left.saturating_sub(1)) > 0,
                (When::Chance { probability, .. }, Some(draws)) => draws.random::<f64>() < *probability,
                (When::Chance { .. }, None) => false,
                (When::Always, _) => true,
            };
            if strikes {
                struck.push(rule.clone());
            }
        }
        lines.rules.retain_mut(|(_, rule, _)| *rule.when() != When::Next(0));
        struck
    }

    fn lines(&self) -> MutexGuard<'_, Lines<L>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
