//! What a phase is when both sides may have changed it: three ways, field by field, against what the tool had
//! when they were last compared. Where both have changed a field the later change prevails. A task's own time
//! of change is too coarse for that, a comment raises it, so it counts only where no event tells about the
//! field.
//!
//! Pure: values are compared as they are given, in their normal form (`PhaseFields::normalize`), and times of
//! the tool are given as this machine's clock would have told them.

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    ids::{PhaseConflictId, PhaseId},
    store::planning::{
        conflict::PhaseConflict,
        field::Value,
        phase::{Phase, PhaseBase, PhaseChangeTimes, PhaseFields},
    },
    words::{ConflictReason, PhaseField, Side},
};

#[cfg(test)]
mod tests;

/// Changes nearer to each other than this happened at the same time: so well are the two clocks known, a
/// second being what the tool's `Date` header tells.
const SAME_TIME: TimeDelta = TimeDelta::seconds(1);

/// A phase as it stands at the tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Theirs {
    pub fields: PhaseFields,
    /// When each field was last changed there, as far as events told.
    pub changed: PhaseChangeTimes,
    /// When anything about it was last changed there.
    pub update_time: DateTime<Utc>,
}

/// What becomes of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Both sides have the same.
    Keep,
    /// Only the tool's side has changed.
    TakeTheirs,
    /// Only our side has changed: it is to be written.
    KeepOurs,
    /// Both have, differently.
    Conflict { winner: Side, reason: ConflictReason },
}

/// A phase after the two sides were compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    pub fields: PhaseFields,
    pub base: PhaseBase,
    pub changed: PhaseChangeTimes,
    pub clashes: Vec<Clash>,
}

/// A field that both sides had changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clash {
    pub field: PhaseField,
    pub base: Value,
    pub ours: Value,
    pub our_time: DateTime<Utc>,
    pub theirs: Value,
    pub their_time: DateTime<Utc>,
    pub winner: Side,
    pub reason: ConflictReason,
}

/// Whose change came later.
#[derive(Debug, Clone, Copy)]
struct Times {
    ours: DateTime<Utc>,
    theirs: DateTime<Utc>,
}

impl Merged {
    /// Whether the tool lacks something that stands here.
    pub fn is_to_be_written(&self) -> bool {
        self.fields != PhaseFields::from(self.base.clone())
    }

    /// Puts it into the phase. Returns whether the fields that stand here changed by it.
    pub fn apply(&self, phase: &mut Phase) -> bool {
        let is_changed = phase.fields != self.fields;
        phase.fields = self.fields.clone();
        phase.base = self.base.clone();
        phase.changed = self.changed.clone();
        is_changed
    }
}

impl Clash {
    /// As it is kept.
    pub fn to_row(&self, phase: PhaseId, now: DateTime<Utc>) -> PhaseConflict {
        PhaseConflict {
            id: PhaseConflictId::new(),
            phase_id: phase,
            field: self.field,
            base_value: self.base.text(),
            our_value: self.ours.text(),
            our_time: self.our_time,
            their_value: self.theirs.text(),
            their_time: self.their_time,
            winner: self.winner,
            reason: self.reason,
            create_time: now,
            revert_time: None,
            reverted_by: None,
        }
    }
}

impl Theirs {
    fn time(&self, field: PhaseField) -> DateTime<Utc> {
        self.changed.get(field).unwrap_or(self.update_time)
    }
}

impl Times {
    /// On a tie the tool's value stands: it is what everybody there sees already.
    fn winner(self) -> (Side, ConflictReason) {
        if (self.ours - self.theirs).abs() <= SAME_TIME {
            (Side::Theirs, ConflictReason::SameTime)
        } else if self.ours > self.theirs {
            (Side::Ours, ConflictReason::Newer)
        } else {
            (Side::Theirs, ConflictReason::Newer)
        }
    }
}

/// What becomes of one field. `times` counts only if both sides have changed it.
fn verdict(base: Value, ours: Value, theirs: Value, times: Times) -> Verdict {
    if ours == theirs {
        Verdict::Keep
    } else if ours == base {
        Verdict::TakeTheirs
    } else if theirs == base {
        Verdict::KeepOurs
    } else {
        let (winner, reason) = times.winner();
        Verdict::Conflict { winner, reason }
    }
}

/// Compares the two sides of a phase.
pub fn merge(base: &PhaseBase, ours: &PhaseFields, changed: &PhaseChangeTimes, theirs: &Theirs) -> Merged {
    let sides = Sides { base: base.clone().into(), ours, changed, theirs };
    let mut verdicts: Vec<_> = PhaseField::ALL.iter().map(|field| (*field, sides.verdict(*field))).collect();
    let merged = sides.merged(&verdicts);
    // One side moved the start and the other the end, and the two do not fit: the dates of one side count.
    if !merged.fields.has_possible_dates() && ours.has_possible_dates() {
        sides.decide_dates_together(&mut verdicts);
        return sides.merged(&verdicts);
    }
    merged
}

struct Sides<'a> {
    base: PhaseFields,
    ours: &'a PhaseFields,
    changed: &'a PhaseChangeTimes,
    theirs: &'a Theirs,
}

impl Sides<'_> {
    fn verdict(&self, field: PhaseField) -> Verdict {
        let (base, ours, theirs) = self.values(field);
        verdict(base, ours, theirs, self.times(field))
    }

    fn values(&self, field: PhaseField) -> (Value, Value, Value) {
        (self.base.get(field), self.ours.get(field), self.theirs.fields.get(field))
    }

    fn times(&self, field: PhaseField) -> Times {
        Times { ours: self.our_time(field), theirs: self.theirs.time(field) }
    }

    /// A date that was not changed here stands since the other one was.
    fn our_time(&self, field: PhaseField) -> DateTime<Utc> {
        let other = match field {
            PhaseField::StartDate => self.changed.due_date_change_time,
            PhaseField::DueDate => self.changed.start_date_change_time,
            PhaseField::PlannedHours | PhaseField::Area => None,
        };
        self.changed.get(field).or(other).unwrap_or(DateTime::UNIX_EPOCH)
    }

    fn decide_dates_together(&self, verdicts: &mut [(PhaseField, Verdict)]) {
        let dates = [PhaseField::StartDate, PhaseField::DueDate];
        let newest = |is_changed: &dyn Fn(PhaseField) -> bool, time: &dyn Fn(PhaseField) -> DateTime<Utc>| {
            let times = dates.iter().filter(|field| is_changed(**field)).map(|field| time(*field));
            times.max().unwrap_or(DateTime::UNIX_EPOCH)
        };
        let times = Times {
            ours: newest(&|field| self.ours.get(field) != self.base.get(field), &|field| {
                self.our_time(field)
            }),
            theirs: newest(&|field| self.theirs.fields.get(field) != self.base.get(field), &|field| {
                self.theirs.time(field)
            }),
        };
        let (winner, reason) = times.winner();
        for (field, verdict) in verdicts.iter_mut().filter(|(field, _)| dates.contains(field)) {
            let (base, ours, theirs) = self.values(*field);
            *verdict = match winner {
                _ if ours == theirs => Verdict::Keep,
                Side::Theirs if ours == base => Verdict::TakeTheirs,
                Side::Ours if theirs == base => Verdict::KeepOurs,
                Side::Ours | Side::Theirs => Verdict::Conflict { winner, reason },
            };
        }
    }

    fn merged(&self, verdicts: &[(PhaseField, Verdict)]) -> Merged {
        let mut merged = Merged {
            fields: self.ours.clone(),
            base: self.theirs.fields.clone().into(),
            changed: PhaseChangeTimes::default(),
            clashes: Vec::new(),
        };
        for (field, verdict) in verdicts {
            let (base, ours, theirs) = self.values(*field);
            let times = self.times(*field);
            let is_ours = match verdict {
                Verdict::Keep | Verdict::TakeTheirs => false,
                Verdict::KeepOurs => true,
                Verdict::Conflict { winner, reason } => {
                    let (our_time, their_time) = (times.ours, times.theirs);
                    let (field, winner, reason) = (*field, *winner, *reason);
                    let clash = Clash { field, base, ours, our_time, theirs, their_time, winner, reason };
                    merged.clashes.push(clash);
                    winner == Side::Ours
                }
            };
            if is_ours {
                merged.changed.set(*field, Some(times.ours));
            } else {
                merged.fields.set(*field, theirs);
            }
        }
        merged
    }
}
