//! What a dry run remembers of the rows it only pretended to take over,
//! so that it notices when a later one is the same person.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
};

use chrono::NaiveDate;

use crate::{domain::patient_csv::PatientRow, fold, words::ImportOutcome};

/// Values remembered at most, some 20 MB; what a larger file repeats after that goes unnoticed by a dry run.
const VALUES_AT_MOST: usize = 1_000_000;

/// Whom a row resembles among the earlier rows of its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Familiar {
    Nobody,
    /// The same name and birth date.
    Twin,
    /// The same id at the tool, or the same e-mail address.
    Person,
}

/// Keeps hashes under a key of this process alone, never a value itself.
#[derive(Default)]
pub(super) struct Seen {
    key: RandomState,
    hashes: HashSet<u64>,
}

impl Seen {
    /// Compares a row with those before it, and remembers it.
    pub(super) fn meet(&mut self, row: &PatientRow) -> Familiar {
        let (first, last) =
            (fold::name(row.first_name.as_deref().unwrap_or_default()), fold::name(&row.last_name));
        let email = row.email.as_deref().and_then(fold::email);
        // All three are remembered, whichever of them is familiar.
        let known_id = row.external_id.as_deref().is_some_and(|id| self.is_known(("id", id, "", None)));
        let known_email = email.is_some_and(|email| self.is_known(("email", &email, "", None)));
        let known_name =
            row.birth_date.is_some_and(|date| self.is_known(("name", &first, &last, Some(date))));
        match (known_id || known_email, known_name) {
            (true, _) => Familiar::Person,
            (false, true) => Familiar::Twin,
            (false, false) => Familiar::Nobody,
        }
    }

    fn is_known(&mut self, value: (&str, &str, &str, Option<NaiveDate>)) -> bool {
        let hash = self.key.hash_one(value);
        let is_known = self.hashes.contains(&hash);
        if !is_known && self.hashes.len() < VALUES_AT_MOST {
            self.hashes.insert(hash);
        }
        is_known
    }
}

impl Familiar {
    /// What would become of a row, given what became of it among the people known.
    pub(super) fn correct(self, outcome: ImportOutcome) -> ImportOutcome {
        match (self, outcome) {
            (Self::Person, ImportOutcome::Created | ImportOutcome::Candidate) => ImportOutcome::Matched,
            (Self::Twin, ImportOutcome::Created) => ImportOutcome::Candidate,
            _ => outcome,
        }
    }
}
